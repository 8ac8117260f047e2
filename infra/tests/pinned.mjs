// What may stand in the templates: looked up once, written down here, changed on purpose. Nothing offline can tell whether Azure still knows it.

/** Resource types with the one API version that all templates use. */
export const apiVersions = {
    'Microsoft.Authorization/roleAssignments': '2022-04-01',
    'Microsoft.Authorization/roleDefinitions': '2022-04-01',
    'Microsoft.Consumption/budgets': '2023-11-01',
    'Microsoft.DBforPostgreSQL/flexibleServers': '2025-08-01',
    'Microsoft.DBforPostgreSQL/flexibleServers/administrators': '2025-08-01',
    'Microsoft.DBforPostgreSQL/flexibleServers/configurations': '2025-08-01',
    'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules': '2025-08-01',
    'Microsoft.EventGrid/systemTopics': '2022-06-15',
    'Microsoft.EventGrid/systemTopics/eventSubscriptions': '2022-06-15',
    'Microsoft.Insights/actionGroups': '2023-01-01',
    'Microsoft.Insights/components': '2020-02-02',
    'Microsoft.Insights/diagnosticSettings': '2021-05-01-preview',
    'Microsoft.Insights/metricAlerts': '2018-03-01',
    'Microsoft.Insights/scheduledQueryRules': '2023-12-01',
    'Microsoft.Insights/workbooks': '2023-06-01',
    'Microsoft.KeyVault/vaults': '2023-07-01',
    'Microsoft.ManagedIdentity/userAssignedIdentities': '2023-01-31',
    'Microsoft.Network/natGateways': '2024-05-01',
    'Microsoft.Network/privateDnsZones': '2020-06-01',
    'Microsoft.Network/privateEndpoints': '2024-05-01',
    'Microsoft.Network/publicIPAddresses': '2024-05-01',
    'Microsoft.Network/virtualNetworks': '2024-05-01',
    'Microsoft.OperationalInsights/workspaces': '2025-02-01',
    'Microsoft.Resources/resourceGroups': '2024-03-01',
    'Microsoft.ServiceBus/namespaces': '2024-01-01',
    'Microsoft.ServiceBus/namespaces/disasterRecoveryConfigs': '2024-01-01',
    'Microsoft.ServiceBus/namespaces/queues': '2024-01-01',
    'Microsoft.Storage/storageAccounts': '2025-06-01',
    'Microsoft.Storage/storageAccounts/blobServices/containers': '2025-06-01',
    'Microsoft.Web/serverfarms': '2025-03-01',
    'Microsoft.Web/sites': '2025-03-01',
};

/** Built-in roles, by the name of the variable that holds them. */
export const roles = {
    keyVaultSecretsOfficer: 'b86a8fe4-44ce-4948-aee5-eccb2c155cd7',
    keyVaultSecretsUser: '4633458b-17de-408a-b874-0445c86b69e6',
    monitoringMetricsPublisher: '3913510d-42f4-4e42-8a64-420c390055eb',
    serviceBusDataReceiver: '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0',
    serviceBusDataSender: '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39',
    storageBlobDataOwner: 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b',
    storageQueueDataContributor: '974c5e8b-45b9-4653-ba55-5f855dd0fb88',
};

/** Settings that the platform reads, not the code. */
export const platformSettings = [
    'APPLICATIONINSIGHTS_AUTHENTICATION_STRING',
    'APPLICATIONINSIGHTS_CONNECTION_STRING',
    'AZURE_CLIENT_ID',
    'AzureWebJobsStorage__credential',
    'AzureWebJobsStorage__tableServiceUri',
    'ServiceBus__credential',
];

/** Settings that break an app on Flex Consumption, or that it derives itself. */
export const forbiddenSettings = /^(FUNCTIONS_WORKER_RUNTIME|FUNCTIONS_EXTENSION_VERSION|WEBSITE_RUN_FROM_PACKAGE|WEBSITE_VNET_ROUTE_ALL|WEBSITE_CONTENT.*|AzureWebJobsStorage|ServiceBus)$/;

/** Settings of the sample that mean something on one machine only, or have another shape on Azure. */
export const localSettings = ['AzureWebJobsStorage', 'FUNCTIONS_WORKER_RUNTIME', 'ServiceBus'];

/** Sections of the sample that mean something on one machine only: the files of the sandbox processor. */
export const localSections = ['Disputes__Partners__sandbox__'];

/** Settings that the code reads and that Azure leaves at their defaults: the reason stands beside each. */
export const defaultedSettings = {
    'Logging:Console:Enabled': 'The worker leaves the console to the host.',
    'Disputes:Partners': 'Partners of dispute files are an operator\'s choice; without any, files wait in the inbox.',
    'Disputes:EvidenceScanner': 'A scanner of evidence files is an operator\'s choice; without one, files are judged by type and size alone.',
    'Ledger:SealArchive': 'Seals are kept in one record until a restored database needs a new one (docs/runbooks/restore.md).',
    Payouts: 'Payouts go to the bank API of the processor address until rails are chosen.',
    'Providers:Sandbox:ApiKey': 'Read as part of the section Providers:Sandbox.',
    'Providers:Sandbox:BaseAddress': 'Read as part of the section Providers:Sandbox.',
};

/** Most connections of a server by default, less those it keeps for itself; 15 more are left to people and migrations. */
export const connections = { Standard_B2s: 429, Standard_D2ds_v5: 859, Standard_D4ds_v5: 1718 };
export const reservedConnections = 30;

/** What a template must say, wherever the type occurs: no way in but an identity. */
export const required = [
    ['Microsoft.Storage/storageAccounts', 'allowSharedKeyAccess: false'],
    ['Microsoft.Storage/storageAccounts', 'allowBlobPublicAccess: false'],
    ['Microsoft.Storage/storageAccounts/blobServices/containers/immutabilityPolicies', 'allowProtectedAppendWrites: true'],
    ['Microsoft.ServiceBus/namespaces', 'disableLocalAuth: true'],
    ['Microsoft.Insights/components', 'DisableLocalAuth: true'],
    ['Microsoft.Insights/components', 'SamplingPercentage: 100'],
    ['Microsoft.KeyVault/vaults', 'enableRbacAuthorization: true'],
    ['Microsoft.KeyVault/vaults', 'enablePurgeProtection: true'],
    ['Microsoft.DBforPostgreSQL/flexibleServers', 'passwordAuth: \'Disabled\''],
    ['Microsoft.Web/sites', 'httpsOnly: true'],
];
