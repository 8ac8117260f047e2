// The queues. Their names are those of QueueNames in the code, and a test holds them together.
param location string
param tags object
param name string
param privateNetwork bool

@description('Region of a second namespace that this one is paired with; none where empty. Pairing is a thing of the Premium tier.')
param pairLocation string
param endpointSubnetId string
param zoneId string
param appPrincipalId string
param workspaceId string

var queueNames = [
  'provider-events'
  'webhook-deliveries'
  'payout-submissions'
]

var serviceBusDataReceiver = '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0'
var serviceBusDataSender = '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39'

// Private endpoints are a thing of the Premium tier.
resource bus 'Microsoft.ServiceBus/namespaces@2024-01-01' = {
  name: name
  location: location
  tags: tags
  sku: privateNetwork
    ? {
        name: 'Premium'
        tier: 'Premium'
        capacity: 1
      }
    : {
        name: 'Standard'
        tier: 'Standard'
      }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
  }
}

// The pair holds the queues and no messages: what was in flight is in the outbox, or is sent again by who sent it.
var paired = privateNetwork && !empty(pairLocation)

resource pair 'Microsoft.ServiceBus/namespaces@2024-01-01' = if (paired) {
  name: '${name}-2'
  location: empty(pairLocation) ? location : pairLocation
  tags: tags
  sku: {
    name: 'Premium'
    tier: 'Premium'
    capacity: 1
  }
  properties: {
    disableLocalAuth: true
    minimumTlsVersion: '1.2'
    publicNetworkAccess: 'Disabled'
  }
}

// The app keeps to its namespace's own name: roles and private endpoints are the namespace's, and a failover is a deployment (docs/runbooks/restore.md).
resource pairing 'Microsoft.ServiceBus/namespaces/disasterRecoveryConfigs@2024-01-01' = if (paired) {
  parent: bus
  name: '${name}-pair'
  properties: { partnerNamespace: pair.id }
  dependsOn: [queues]
}

resource queues 'Microsoft.ServiceBus/namespaces/queues@2024-01-01' = [
  for queueName in queueNames: {
    parent: bus
    name: queueName
    properties: {
      // The extension renews the lock of a message while its function runs.
      lockDuration: 'PT1M'
      maxDeliveryCount: 5
      // The relay sends again what it could not mark as sent; the message id is the outbox's. An hour is longer than its longest pause between tries.
      requiresDuplicateDetection: true
      duplicateDetectionHistoryTimeWindow: 'PT1H'
      // Nothing that was accepted may vanish for being old: what expires is kept by the function of the dead-letter queue.
      defaultMessageTimeToLive: 'P14D'
      deadLetteringOnMessageExpiration: true
      maxSizeInMegabytes: 5120
    }
  }
]

resource receive 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (queueName, i) in queueNames: {
    name: guid(bus.id, queueName, appPrincipalId, serviceBusDataReceiver)
    scope: queues[i]
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataReceiver)
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
    }
  }
]

resource send 'Microsoft.Authorization/roleAssignments@2022-04-01' = [
  for (queueName, i) in queueNames: {
    name: guid(bus.id, queueName, appPrincipalId, serviceBusDataSender)
    scope: queues[i]
    properties: {
      roleDefinitionId: subscriptionResourceId('Microsoft.Authorization/roleDefinitions', serviceBusDataSender)
      principalId: appPrincipalId
      principalType: 'ServicePrincipal'
    }
  }
]

// The platform decides on instances by the length of a queue. Without leave to read it, it peeks at messages instead and scales worse, silently.
resource readLengths 'Microsoft.Authorization/roleDefinitions@2022-04-01' = {
  name: guid(bus.id, 'read-queue-lengths')
  properties: {
    roleName: 'Payments: read queue lengths (${name})'
    description: 'Reads the properties of a namespace and its queues, no messages. Scaling of the function app needs it.'
    type: 'CustomRole'
    permissions: [
      {
        actions: ['Microsoft.ServiceBus/namespaces/*/read', 'Microsoft.ServiceBus/namespaces/read']
        notActions: []
        dataActions: []
        notDataActions: []
      }
    ]
    assignableScopes: [resourceGroup().id]
  }
}

resource readLengthsAssignment 'Microsoft.Authorization/roleAssignments@2022-04-01' = {
  name: guid(bus.id, appPrincipalId, 'read-queue-lengths')
  scope: bus
  properties: {
    roleDefinitionId: readLengths.id
    principalId: appPrincipalId
    principalType: 'ServicePrincipal'
  }
}

module endpoint 'privateendpoint.bicep' = if (privateNetwork) {
  name: 'endpoint-servicebus'
  params: {
    location: location
    tags: tags
    name: 'pe-${name}'
    subnetId: endpointSubnetId
    zoneId: zoneId
    targetId: bus.id
    target: 'namespace'
  }
}

resource audit 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'audit'
  scope: bus
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

output id string = bus.id
output host string = '${bus.name}.servicebus.windows.net'
