using '../main.bicep'

param environmentName = 'prod'
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param privateNetwork = true
param zoneRedundant = true
param scale = {
  memoryMb: 2048
  maximumInstances: 60
  alwaysReadyHttp: 2
  alwaysReadyQueue: 2
  requestsPerInstance: 16
  poolSize: 20
}
param database = {
  version: '18'
  skuName: 'Standard_D4ds_v5'
  skuTier: 'GeneralPurpose'
  storageGb: 512
  backupDays: 35
  geoRedundantBackup: true
}
param replicaLocation = readEnvironmentVariable('REPLICA_LOCATION', '')
param operators = {
  objectId: readEnvironmentVariable('OPERATORS_OBJECT_ID')
  name: readEnvironmentVariable('OPERATORS_NAME')
  type: 'Group'
}
param alertEmail = readEnvironmentVariable('ALERT_EMAIL')
param monthlyBudget = 4000
param budgetStart = readEnvironmentVariable('BUDGET_START')
param processorAddress = readEnvironmentVariable('PROCESSOR_ADDRESS')
param otlpEndpoint = readEnvironmentVariable('OTLP_ENDPOINT', '')
param activeSecretsKey = readEnvironmentVariable('ACTIVE_SECRETS_KEY', 'k1')
