// One page that shows how payments are doing. What comes from the worker's own metrics stays empty without a collector.
param location string
param tags object
param environmentName string
param insightsId string

resource workbook 'Microsoft.Insights/workbooks@2023-06-01' = {
  name: guid(resourceGroup().id, 'payments')
  location: location
  tags: tags
  kind: 'shared'
  properties: {
    displayName: 'Payments ${environmentName}'
    category: 'workbook'
    sourceId: insightsId
    serializedData: loadTextContent('workbook.json')
  }
}
