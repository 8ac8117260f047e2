using '../main.bicep'

param environmentName = 'dev'
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param privateNetwork = false
param zoneRedundant = false
param scale = {
  memoryMb: 2048
  maximumInstances: 10
  alwaysReadyHttp: 1
  alwaysReadyQueue: 0
  requestsPerInstance: 16
  poolSize: 15
}
param database = {
  version: '18'
  skuName: 'Standard_B2s'
  skuTier: 'Burstable'
  storageGb: 32
  backupDays: 7
  geoRedundantBackup: false
}
param replicaLocation = readEnvironmentVariable('REPLICA_LOCATION', '')
param operators = {
  objectId: readEnvironmentVariable('OPERATORS_OBJECT_ID')
  name: readEnvironmentVariable('OPERATORS_NAME')
  type: 'Group'
}
param alertEmail = readEnvironmentVariable('ALERT_EMAIL')
param monthlyBudget = 150
param budgetStart = readEnvironmentVariable('BUDGET_START')
param processorAddress = readEnvironmentVariable('PROCESSOR_ADDRESS')
param otlpEndpoint = readEnvironmentVariable('OTLP_ENDPOINT', '')
param activeSecretsKey = readEnvironmentVariable('ACTIVE_SECRETS_KEY', 'k1')
