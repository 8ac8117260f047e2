// Who the app is: to storage, Service Bus, Key Vault, Application Insights and the database. No password or key belongs to it.
param location string
param tags object
param name string

resource app 'Microsoft.ManagedIdentity/userAssignedIdentities@2023-01-31' = {
  name: name
  location: location
  tags: tags
}

output id string = app.id
output name string = app.name
output clientId string = app.properties.clientId
output principalId string = app.properties.principalId
