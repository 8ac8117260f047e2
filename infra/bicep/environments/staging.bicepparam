using '../main.bicep'

param environmentName = 'staging'
param location = readEnvironmentVariable('AZURE_LOCATION', 'westeurope')
param privateNetwork = true
param zoneRedundant = false
param scale = {
  memoryMb: 2048
  maximumInstances: 20
  alwaysReadyHttp: 1
  alwaysReadyQueue: 1
  requestsPerInstance: 16
  poolSize: 20
}
param database = {
  version: '18'
  skuName: 'Standard_D2ds_v5'
  skuTier: 'GeneralPurpose'
  storageGb: 128
  backupDays: 14
  geoRedundantBackup: false
}
param replicaLocation = readEnvironmentVariable('REPLICA_LOCATION', '')
param operators = {
  objectId: readEnvironmentVariable('OPERATORS_OBJECT_ID')
  name: readEnvironmentVariable('OPERATORS_NAME')
  type: 'Group'
}
param alertEmail = readEnvironmentVariable('ALERT_EMAIL')
param monthlyBudget = 1200
param budgetStart = readEnvironmentVariable('BUDGET_START')
param processorAddress = readEnvironmentVariable('PROCESSOR_ADDRESS')
param otlpEndpoint = readEnvironmentVariable('OTLP_ENDPOINT', '')
param activeSecretsKey = readEnvironmentVariable('ACTIVE_SECRETS_KEY', 'k1')
