// A private address of one service in the endpoints' subnet, with its name in the private zone.
param location string
param tags object
param name string
param subnetId string
param zoneId string
param targetId string

@description('The part of the service that is meant, as Private Link calls it.')
@allowed(['blob', 'queue', 'namespace', 'vault', 'postgresqlServer'])
param target string

resource endpoint 'Microsoft.Network/privateEndpoints@2024-05-01' = {
  name: name
  location: location
  tags: tags
  properties: {
    subnet: { id: subnetId }
    privateLinkServiceConnections: [
      {
        name: name
        properties: {
          privateLinkServiceId: targetId
          groupIds: [target]
        }
      }
    ]
  }

  resource names 'privateDnsZoneGroups' = {
    name: 'default'
    properties: {
      privateDnsZoneConfigs: [
        {
          name: 'default'
          properties: { privateDnsZoneId: zoneId }
        }
      ]
    }
  }
}
