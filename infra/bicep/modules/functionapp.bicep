// The app on the Flex Consumption plan. Every setting that the code reads on Azure stands here, and a test holds the two together.
param location string
param tags object
param name string
param zoneRedundant bool
param memoryMb int
param maximumInstances int
param alwaysReadyHttp int
param alwaysReadyQueue int
param requestsPerInstance int
param requestsPerSecond int
param poolSize int
param subnetId string
param identityId string
param identityClientId string
param identityName string
param storageName string
param packageContainerUri string
param serviceBusHost string
param postgresHost string
param pgBouncer bool
param vaultUri string
param insightsConnectionString string
param processorAddress string
param otlpEndpoint string
param activeSecretsKey string
param retiredSecretsKeys string[]
param workspaceId string

// Each queue function scales, and starts cold, on its own. These are the ones that money waits for.
var criticalFunctions = [
  'ProviderEventsFromServiceBus'
  'PayoutSubmissionsFromServiceBus'
  'WebhookDeliveriesFromServiceBus'
]

// The functions of the other transport. Queues on the storage account serve one machine only.
var disabledFunctions = [
  'ProviderEventsFromStorage'
  'ProviderEventsPoisonFromStorage'
  'WebhookDeliveriesFromStorage'
  'WebhookDeliveriesPoisonFromStorage'
  'PayoutSubmissionsFromStorage'
  'PayoutSubmissionsPoisonFromStorage'
]

var storageHost = environment().suffixes.storage

var settings = {
  // What DefaultAzureCredential takes when several identities could be meant.
  AZURE_CLIENT_ID: identityClientId
  AzureWebJobsStorage__credential: 'managedidentity'
  AzureWebJobsStorage__clientId: identityClientId
  AzureWebJobsStorage__blobServiceUri: 'https://${storageName}.blob.${storageHost}'
  AzureWebJobsStorage__queueServiceUri: 'https://${storageName}.queue.${storageHost}'
  AzureWebJobsStorage__tableServiceUri: 'https://${storageName}.table.${storageHost}'
  APPLICATIONINSIGHTS_CONNECTION_STRING: insightsConnectionString
  APPLICATIONINSIGHTS_AUTHENTICATION_STRING: 'ClientId=${identityClientId};Authorization=AAD'
  ConnectionStrings__Postgres: 'Host=${postgresHost};Port=${pgBouncer ? '6432;No Reset On Close=true' : '5432'};Database=payments;Username=${identityName};SSL Mode=VerifyFull;Maximum Pool Size=${poolSize}'
  Database__EntraAuthentication: 'true'
  Messaging__Transport: 'servicebus'
  Messaging__RelaySchedule: '*/10 * * * * *'
  ServiceBus__credential: 'managedidentity'
  ServiceBus__clientId: identityClientId
  ServiceBus__fullyQualifiedNamespace: serviceBusHost
  Http__RequestsPerSecond: string(requestsPerSecond)
  // The front end of Azure Functions appends the caller's address to X-Forwarded-For. Add one for each proxy of yours before it, such as Front Door.
  Http__TrustedProxies: '1'
  Platform__ApiKeyHashes: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/platform-api-key-hashes)'
  Providers__Sandbox__BaseAddress: processorAddress
  Providers__Sandbox__ApiKey: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/processor-api-key)'
  Webhooks__Inbound__sandbox__Secret: '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/processor-webhook-secret)'
  Webhooks__AllowLoopback: 'false'
  Secrets__ActiveKey: activeSecretsKey
  Charges__ResolveSchedule: '*/10 * * * * *'
  Charges__ExpireSchedule: '40 * * * * *'
  Disputes__MatchSchedule: '*/30 * * * * *'
  Disputes__DeadlineSchedule: '0 */15 * * * *'
  Disputes__ScanSchedule: '30 */5 * * * *'
  Ledger__SealSchedule: '*/10 * * * * *'
  Ledger__VerifySchedule: '0 23 4 * * *'
  Payouts__ReleaseSchedule: '0 * * * * *'
  Payouts__Schedule: '0 */10 * * * *'
}

var secretsKeys = toObject(
  concat([activeSecretsKey], retiredSecretsKeys),
  key => 'Secrets__Keys__${key}',
  key => '@Microsoft.KeyVault(SecretUri=${vaultUri}secrets/secrets-key-${key})'
)

var disabled = toObject(disabledFunctions, each => 'AzureWebJobs.${each}.Disabled', each => 'true')

var telemetry = empty(otlpEndpoint) ? {} : { OTEL_EXPORTER_OTLP_ENDPOINT: otlpEndpoint }

var alwaysReadyQueues = [
  for each in criticalFunctions: {
    name: 'function:${each}'
    instanceCount: alwaysReadyQueue
  }
]

resource plan 'Microsoft.Web/serverfarms@2025-03-01' = {
  name: 'plan-${name}'
  location: location
  tags: tags
  kind: 'functionapp'
  sku: {
    name: 'FC1'
    tier: 'FlexConsumption'
  }
  properties: {
    reserved: true
    zoneRedundant: zoneRedundant
  }
}

resource app 'Microsoft.Web/sites@2025-03-01' = {
  name: name
  location: location
  tags: union(tags, { 'azd-service-name': 'functions' })
  kind: 'functionapp,linux'
  identity: {
    type: 'UserAssigned'
    userAssignedIdentities: { '${identityId}': {} }
  }
  properties: {
    serverFarmId: plan.id
    httpsOnly: true
    virtualNetworkSubnetId: subnetId
    keyVaultReferenceIdentity: identityId
    siteConfig: {
      minTlsVersion: '1.2'
      ftpsState: 'Disabled'
      appSettings: map(items(union(settings, secretsKeys, disabled, telemetry)), setting => {
        name: setting.key
        value: setting.value
      })
    }
    functionAppConfig: {
      deployment: {
        storage: {
          type: 'blobContainer'
          value: packageContainerUri
          authentication: {
            type: 'UserAssignedIdentity'
            userAssignedIdentityResourceId: identityId
          }
        }
      }
      runtime: {
        name: 'dotnet-isolated'
        version: '10.0'
      }
      scaleAndConcurrency: {
        instanceMemoryMB: memoryMb
        maximumInstanceCount: maximumInstances
        alwaysReady: concat(
          [
            {
              name: 'http'
              instanceCount: alwaysReadyHttp
            }
          ],
          alwaysReadyQueue > 0 ? alwaysReadyQueues : []
        )
        triggers: {
          http: { perInstanceConcurrency: requestsPerInstance }
        }
      }
      // Instances are replaced one after the other and finish what they do. The other strategy ends them in the middle of a capture.
      siteUpdateStrategy: { type: 'RollingUpdate' }
    }
  }

  resource noFtp 'basicPublishingCredentialsPolicies' = {
    name: 'ftp'
    properties: { allow: false }
  }

  resource noPassword 'basicPublishingCredentialsPolicies' = {
    name: 'scm'
    properties: { allow: false }
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'platform'
  scope: app
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'FunctionAppLogs'
        enabled: true
      }
    ]
  }
}

output name string = app.name
output host string = app.properties.defaultHostName
