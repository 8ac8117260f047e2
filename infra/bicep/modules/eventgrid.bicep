// The source of blob events. What subscribes to it is events.bicep, which can only be deployed once the app's code is there.
param location string
param tags object
param name string
param storageId string

resource topic 'Microsoft.EventGrid/systemTopics@2022-06-15' = {
  name: name
  location: location
  tags: tags
  properties: {
    source: storageId
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

output name string = topic.name
