// Deployed into the resource group after the code: the key in the address exists once the app has started with its blob trigger.
targetScope = 'resourceGroup'

param topicName string
param functionAppName string

// Each inbox of files with the function that takes them at once. What is not delivered is found by the timers that scan the inboxes; the
// bank's inbox is only scanned.
var inboxes = [
  {
    name: 'dispute-files'
    container: 'disputes-inbox'
    functionName: 'ReceiveDisputeFile'
  }
]

resource app 'Microsoft.Web/sites@2025-03-01' existing = {
  name: functionAppName
}

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' existing = {
  name: topicName
}

resource subscriptions 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2022-06-15' = [
  for inbox in inboxes: {
    parent: topic
    name: inbox.name
    properties: {
      destination: {
        endpointType: 'WebHook'
        properties: {
          endpointUrl: 'https://${app.properties.defaultHostName}/runtime/webhooks/blobs?functionName=Host.Functions.${inbox.functionName}&code=${listKeys('${app.id}/host/default', '2025-03-01').systemKeys.blobs_extension}'
          maxEventsPerBatch: 1
        }
      }
      filter: {
        includedEventTypes: ['Microsoft.Storage.BlobCreated']
        subjectBeginsWith: '/blobServices/default/containers/${inbox.container}/'
      }
      retryPolicy: {
        maxDeliveryAttempts: 30
        eventTimeToLiveInMinutes: 1440
      }
    }
  }
]
