// The app's one account: its package, the host's own state, partners' files and payout files. It knows no keys.
param location string
param tags object

@maxLength(24)
param name string
param zoneRedundant bool
param privateNetwork bool

@description('Copies the account to its paired region as well.')
param geoRedundant bool

@description('How long a seal of the ledger cannot be removed, in days from when it was written.')
param sealRetentionDays int
param endpointSubnetId string
param blobZoneId string
param queueZoneId string
param appPrincipalId string
param workspaceId string

// The containers that the code names, and the one that the platform starts the app from.
var packageContainer = 'app-package'
var containers = [
  packageContainer
  'disputes-inbox'
  'disputes-rejected'
  'disputes-archive'
  'dispute-evidence'
  'bank-inbox'
  'bank-rejected'
  'bank-archive'
  'payout-files'
]

// Blobs in it can be added to and neither altered nor removed, by whoever, until their time is over.
var sealContainer = 'ledger-seals'

// The host keeps leases, schedules and keys in containers that it makes itself, and the blob trigger uses queues of its own:
// that is why these two roles are on the account. It holds nothing of any other app.
var storageBlobDataOwner = 'b7e6dc6d-f1e8-4753-8033-0f276bb0955b'
var storageQueueDataContributor = '974c5e8b-45b9-4653-ba55-5f855dd0fb88'

resource account 'Microsoft.Storage/storageAccounts@2025-06-01' = {
  name: name
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: { name: zoneRedundant ? (geoRedundant ? 'Standard_GZRS' : 'Standard_ZRS') : (geoRedundant ? 'Standard_GRS' : 'Standard_LRS') }
  properties: {
    accessTier: 'Hot'
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    networkAcls: {
      defaultAction: privateNetwork ? 'Deny' : 'Allow'
      bypass: 'AzureServices'
    }
  }

  resource blobs 'blobServices' = {
    name: 'default'
    properties: {
      deleteRetentionPolicy: {
        enabled: true
        days: 30
      }
      containerDeleteRetentionPolicy: {
        enabled: true
        days: 30
      }
    }

    resource container 'containers' = [
      for container in containers: {
        name: container
      }
    ]
  }

  resource lifecycle 'managementPolicies' = {
    name: 'default'
    properties: {
      policy: {
        rules: [
          {
            name: 'archive-partner-files'
            type: 'Lifecycle'
            definition: {
              filters: {
                blobTypes: ['blockBlob']
                prefixMatch: ['disputes-archive/', 'bank-archive/', 'payout-files/']
              }
              actions: {
                baseBlob: {
                  tierToCool: { daysAfterModificationGreaterThan: 90 }
                }
              }
            }
          }
        ]
      }
    }
  }
}

resource seals 'Microsoft.Storage/storageAccounts/blobServices/containers@2025-06-01' = {
  parent: account::blobs
  name: sealContainer

  // Unlocked until an operator locks it, which cannot be taken back: docs/deploy.md. The app's role is one of data, which does not reach it either way.
  resource kept 'immutabilityPolicies' = {
    name: 'default'
    properties: {
      immutabilityPeriodSinceCreationInDays: sealRetentionDays
      allowProtectedAppendWrites: true
    }
  }
}

resource blobRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, storageBlobDataOwner)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageBlobDataOwner)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

resource queueRole 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(account.id, appPrincipalId, storageQueueDataContributor)
  scope: account
  properties: {
    roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', storageQueueDataContributor)
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

module blobEndpoint 'privateendpoint.bicep' = if (privateNetwork) {
  name: 'endpoint-blob'
  params: {
    location: location
    tags: tags
    name: 'pe-${name}-blob'
    subnetId: endpointSubnetId
    zoneId: blobZoneId
    targetId: account.id
    target: 'blob'
  }
}

module queueEndpoint 'privateendpoint.bicep' = if (privateNetwork) {
  name: 'endpoint-queue'
  params: {
    location: location
    tags: tags
    name: 'pe-${name}-queue'
    subnetId: endpointSubnetId
    zoneId: queueZoneId
    targetId: account.id
    target: 'queue'
  }
}

// Who read, wrote or deleted which file, for as long as the workspace keeps it.
resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: account::blobs
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        categoryGroup: 'audit'
        enabled: true
      }
    ]
  }
}

output id string = account.id
output name string = account.name
output packageContainerUri string = '${account.properties.primaryEndpoints.blob}${packageContainer}'
