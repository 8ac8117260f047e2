// One environment of Payment Functions: everything the app needs, in one resource group.
// Only plain resources with pinned API versions, so that nothing but Azure Resource Manager is asked when this is deployed.
targetScope = 'subscription'

@description('Which environment this is. It stands in every name.')
@allowed(['dev', 'staging', 'prod'])
param environmentName string

@description('Region of every resource.')
param location string

@description('Closes storage, Service Bus, Key Vault and Postgres to public networks and gives each a private endpoint. Takes the Premium tier of Service Bus.')
param privateNetwork bool

@description('Spreads the app, the database and the storage over availability zones. The region must have them.')
param zoneRedundant bool

@description('Instances of the app. The sum of their pools must stay below the connections of the database: see docs/deploy.md.')
param scale {
  @description('0.25, 1 or 2 cores.')
  memoryMb: 512 | 2048 | 4096
  maximumInstances: int
  @description('Instances that wait for requests. They also run the outbox relay and the webhook dispatcher, so at least one.')
  alwaysReadyHttp: int
  @description('Instances that wait for messages, for each of the queue functions that money waits for.')
  alwaysReadyQueue: int
  requestsPerInstance: int
  @description('Most connections to the database that one instance opens.')
  poolSize: int
}

@description('Requests a second that one key may send to one instance; more are refused with 429. None where 0.')
param requestsPerSecond int = 200

@description('The database server.')
param database {
  version: '16' | '17' | '18'
  skuName: string
  skuTier: 'Burstable' | 'GeneralPurpose' | 'MemoryOptimized'
  storageGb: int
  backupDays: int
  geoRedundantBackup: bool
}

@description('Region to fail over to: a read replica of the database, a paired Service Bus and copies of the files. None where empty. It needs a tier above Burstable.')
param replicaLocation string = ''

@description('Address ranges of the network; a second region\'s must not overlap if the two are to be peered.')
param addressPrefix string = '10.40'

@description('How long a seal of the ledger cannot be removed, in days.')
param sealRetentionDays int = environmentName == 'prod' ? 3650 : 7

@description('Puts PgBouncer between the app and the database. Only where instances outgrow the server\'s connections: docs/deploy.md, "Connections".')
param pgBouncer bool = false

@description('Who administers the database and reads the secrets: a group or a service principal of Microsoft Entra.')
param operators {
  objectId: string
  name: string
  type: 'Group' | 'ServicePrincipal' | 'User'
}

@description('Who is told about alerts and the budget.')
param alertEmail string

@description('In the currency of the subscription.')
param monthlyBudget int

@description('First day of the month from which the budget counts, such as 2026-12-01.')
param budgetStart string

@description('The address of the card processor, and of the bank where payouts do not go out as files.')
param processorAddress string

@description('OTLP endpoint that gets the traces, metrics and logs of the worker beside Application Insights; none where empty.')
param otlpEndpoint string = ''

@description('Name of the key that secrets in the database are sealed with; its value is the Key Vault secret secrets-key-NAME.')
param activeSecretsKey string = 'k1'

@description('Keys that seal nothing any more but still open what they sealed, while a rotation lasts.')
param retiredSecretsKeys string[] = []

var token = uniqueString(subscription().id, environmentName, location)
var tags = {
  'azd-env-name': environmentName
  application: 'payment-functions'
}

resource group 'Microsoft.Resources/resourceGroups@2024-03-01' = {
  name: 'rg-payments-${environmentName}'
  location: location
  tags: tags
}

module monitoring 'modules/monitoring.bicep' = {
  name: 'monitoring'
  scope: group
  params: {
    location: location
    tags: tags
    suffix: '${environmentName}-${token}'
    retentionDays: environmentName == 'prod' ? 90 : 30
    appPrincipalId: identity.outputs.principalId
  }
}

module identity 'modules/identity.bicep' = {
  name: 'identity'
  scope: group
  params: {
    location: location
    tags: tags
    name: 'id-payments-${environmentName}'
  }
}

module network 'modules/network.bicep' = {
  name: 'network'
  scope: group
  params: {
    location: location
    tags: tags
    name: 'vnet-payments-${environmentName}'
    addressPrefix: addressPrefix
  }
}

module storage 'modules/storage.bicep' = {
  name: 'storage'
  scope: group
  params: {
    location: location
    tags: tags
    name: 'stpay${token}'
    zoneRedundant: zoneRedundant
    privateNetwork: privateNetwork
    geoRedundant: !empty(replicaLocation)
    sealRetentionDays: sealRetentionDays
    endpointSubnetId: network.outputs.endpointSubnetId
    blobZoneId: network.outputs.blobZoneId
    queueZoneId: network.outputs.queueZoneId
    appPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module serviceBus 'modules/servicebus.bicep' = {
  name: 'servicebus'
  scope: group
  params: {
    location: location
    tags: tags
    name: 'sb-payments-${environmentName}-${token}'
    privateNetwork: privateNetwork
    pairLocation: replicaLocation
    endpointSubnetId: network.outputs.endpointSubnetId
    zoneId: network.outputs.serviceBusZoneId
    appPrincipalId: identity.outputs.principalId
    workspaceId: monitoring.outputs.workspaceId
  }
}

module keyVault 'modules/keyvault.bicep' = {
  name: 'keyvault'
  scope: group
  params: {
    location: location
    tags: tags
    name: 'kv-pay-${token}'
    privateNetwork: privateNetwork
    endpointSubnetId: network.outputs.endpointSubnetId
    zoneId: network.outputs.vaultZoneId
    appPrincipalId: identity.outputs.principalId
    operatorsObjectId: operators.objectId
    operatorsType: operators.type
    workspaceId: monitoring.outputs.workspaceId
  }
}

module postgres 'modules/postgres.bicep' = {
  name: 'postgres'
  scope: group
  params: {
    location: location
    tags: tags
    name: 'psql-payments-${environmentName}-${token}'
    version: database.version
    skuName: database.skuName
    skuTier: database.skuTier
    storageGb: database.storageGb
    backupDays: database.backupDays
    geoRedundantBackup: database.geoRedundantBackup
    zoneRedundant: zoneRedundant
    replicaLocation: replicaLocation
    pgBouncer: pgBouncer
    privateNetwork: privateNetwork
    endpointSubnetId: network.outputs.endpointSubnetId
    zoneId: network.outputs.postgresZoneId
    adminObjectId: operators.objectId
    adminName: operators.name
    adminType: operators.type
    workspaceId: monitoring.outputs.workspaceId
  }
}

module functionApp 'modules/functionapp.bicep' = {
  name: 'functionapp'
  scope: group
  params: {
    location: location
    tags: tags
    name: 'func-payments-${environmentName}-${token}'
    zoneRedundant: zoneRedundant
    memoryMb: scale.memoryMb
    maximumInstances: scale.maximumInstances
    alwaysReadyHttp: scale.alwaysReadyHttp
    alwaysReadyQueue: scale.alwaysReadyQueue
    requestsPerInstance: scale.requestsPerInstance
    requestsPerSecond: requestsPerSecond
    poolSize: scale.poolSize
    subnetId: network.outputs.appSubnetId
    identityId: identity.outputs.id
    identityClientId: identity.outputs.clientId
    identityName: identity.outputs.name
    storageName: storage.outputs.name
    packageContainerUri: storage.outputs.packageContainerUri
    serviceBusHost: serviceBus.outputs.host
    postgresHost: postgres.outputs.host
    pgBouncer: pgBouncer
    vaultUri: keyVault.outputs.uri
    insightsConnectionString: monitoring.outputs.insightsConnectionString
    processorAddress: processorAddress
    otlpEndpoint: otlpEndpoint
    activeSecretsKey: activeSecretsKey
    retiredSecretsKeys: retiredSecretsKeys
    workspaceId: monitoring.outputs.workspaceId
  }
}

module eventGrid 'modules/eventgrid.bicep' = {
  name: 'eventgrid'
  scope: group
  params: {
    location: location
    tags: tags
    name: 'evgt-payments-${environmentName}'
    storageId: storage.outputs.id
  }
}

module alerts 'modules/alerts.bicep' = {
  name: 'alerts'
  scope: group
  params: {
    location: location
    tags: tags
    environmentName: environmentName
    email: alertEmail
    insightsId: monitoring.outputs.insightsId
    serviceBusId: serviceBus.outputs.id
    postgresId: postgres.outputs.id
  }
}

module workbook 'modules/workbook.bicep' = {
  name: 'workbook'
  scope: group
  params: {
    location: location
    tags: tags
    environmentName: environmentName
    insightsId: monitoring.outputs.insightsId
  }
}

module budget 'modules/budget.bicep' = {
  name: 'budget'
  scope: group
  params: {
    name: 'payments-${environmentName}'
    amount: monthlyBudget
    startDate: budgetStart
    email: alertEmail
  }
}

output AZURE_RESOURCE_GROUP string = group.name
output FUNCTION_APP_NAME string = functionApp.outputs.name
output FUNCTION_APP_HOST string = functionApp.outputs.host
output POSTGRES_HOST string = postgres.outputs.host
output KEY_VAULT_NAME string = keyVault.outputs.name
output STORAGE_NAME string = storage.outputs.name
output EVENT_TOPIC_NAME string = eventGrid.outputs.name
output APP_IDENTITY_NAME string = identity.outputs.name
output APP_IDENTITY_OBJECT_ID string = identity.outputs.principalId
output OUTBOUND_ADDRESS string = network.outputs.outboundAddress
