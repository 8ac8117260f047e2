// The database server. Only identities of Microsoft Entra log in. Roles and the database itself are made by infra/database/bootstrap.sql: no template can.
param location string
param tags object
param name string
param version string
param skuName string
param skuTier string
param storageGb int
param backupDays int
param geoRedundantBackup bool
param zoneRedundant bool
param replicaLocation string
param pgBouncer bool
param privateNetwork bool
param endpointSubnetId string
param zoneId string
param adminObjectId string
param adminName string
param adminType string
param workspaceId string

// In transaction mode a server's connection changes hands between transactions. The app keeps nothing in a session but prepared statements, and those
// PgBouncer carries over, as many as Npgsql prepares (PaymentsDataSource).
var poolerParameters = [
  {
    name: 'pgbouncer.enabled'
    value: 'true'
  }
  {
    name: 'pgbouncer.pool_mode'
    value: 'transaction'
  }
  {
    name: 'pgbouncer.default_pool_size'
    value: '100'
  }
  {
    name: 'pgbouncer.max_client_conn'
    value: '5000'
  }
  {
    name: 'pgbouncer.max_prepared_statements'
    value: '200'
  }
  {
    name: 'pgbouncer.query_wait_timeout'
    value: '20'
  }
]

var parameters = [
  {
    // A commit that was answered is on disk, and on the standby where there is one.
    name: 'synchronous_commit'
    value: 'on'
  }
  {
    // A transaction whose client died holds locks that payments wait for.
    name: 'idle_in_transaction_session_timeout'
    value: '60000'
  }
  {
    // Who changes the schema, and who logs in, stands in the log.
    name: 'log_statement'
    value: 'ddl'
  }
  {
    name: 'log_connections'
    value: 'on'
  }
  {
    name: 'log_lock_waits'
    value: 'on'
  }
  {
    name: 'log_min_duration_statement'
    value: '1000'
  }
  {
    // Parameters of statements would put payment data into the logs.
    name: 'log_parameter_max_length'
    value: '0'
  }
  {
    name: 'log_parameter_max_length_on_error'
    value: '0'
  }
]

resource server 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = {
  name: name
  location: location
  tags: tags
  sku: {
    name: skuName
    tier: skuTier
  }
  properties: {
    createMode: 'Default'
    version: version
    authConfig: {
      activeDirectoryAuth: 'Enabled'
      passwordAuth: 'Disabled'
      tenantId: tenant().tenantId
    }
    storage: {
      storageSizeGB: storageGb
      autoGrow: 'Enabled'
    }
    backup: {
      backupRetentionDays: backupDays
      geoRedundantBackup: geoRedundantBackup ? 'Enabled' : 'Disabled'
    }
    highAvailability: {
      mode: zoneRedundant ? 'ZoneRedundant' : 'Disabled'
    }
    network: {
      publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    }
    maintenanceWindow: {
      customWindow: 'Enabled'
      dayOfWeek: 0
      startHour: 4
      startMinute: 0
    }
  }
}

resource admin 'Microsoft.DBforPostgreSQL/flexibleServers/administrators@2025-08-01' = {
  parent: server
  name: adminObjectId
  properties: {
    principalName: adminName
    principalType: adminType
    tenantId: tenant().tenantId
  }
}

// The server takes one change at a time.
@batchSize(1)
resource configuration 'Microsoft.DBforPostgreSQL/flexibleServers/configurations@2025-08-01' = [
  for parameter in concat(parameters, pgBouncer ? poolerParameters : []): {
    parent: server
    name: parameter.name
    properties: {
      value: parameter.value
      source: 'user-override'
    }
    dependsOn: [admin]
  }
]

// Without a private network the app's instances have no fixed address. This rule admits Azure's own; whoever comes still needs a role in the database.
resource azureOnly 'Microsoft.DBforPostgreSQL/flexibleServers/firewallRules@2025-08-01' = if (!privateNetwork) {
  parent: server
  name: 'azure-services'
  properties: {
    startIpAddress: '0.0.0.0'
    endIpAddress: '0.0.0.0'
  }
  dependsOn: [configuration]
}

resource replica 'Microsoft.DBforPostgreSQL/flexibleServers@2025-08-01' = if (!empty(replicaLocation)) {
  name: '${name}-replica'
  location: replicaLocation
  tags: tags
  sku: {
    name: skuName
    tier: skuTier
  }
  properties: {
    createMode: 'Replica'
    sourceServerResourceId: server.id
    network: {
      publicNetworkAccess: privateNetwork ? 'Disabled' : 'Enabled'
    }
  }
  dependsOn: [configuration]
}

module endpoint 'privateendpoint.bicep' = if (privateNetwork) {
  name: 'endpoint-postgres'
  params: {
    location: location
    tags: tags
    name: 'pe-${name}'
    subnetId: endpointSubnetId
    zoneId: zoneId
    targetId: server.id
    target: 'postgresqlServer'
  }
}

resource logs 'Microsoft.Insights/diagnosticSettings@2021-05-01-preview' = {
  name: 'logs'
  scope: server
  properties: {
    workspaceId: workspaceId
    logs: [
      {
        category: 'PostgreSQLLogs'
        enabled: true
      }
    ]
  }
}

output id string = server.id
output host string = server.properties.fullyQualifiedDomainName
