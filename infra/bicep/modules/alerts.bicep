// What wakes somebody, and what waits for the morning. Every alert names its page under docs/runbooks.
// Burn rates: at 14.4 a month's error budget is gone in two days, at 6 in five. The short window ends an alert soon after the trouble does.
param location string
param tags object
param environmentName string
param email string
param insightsId string
param serviceBusId string
param postgresId string

var page = 1
var ticket = 3

// Arguments: long window, short window, share of failures that the objective allows, burn rate.
var availabilityBurn = '''
requests
| where timestamp > ago({0})
| where isnotempty(url) and url !has '/health/'
| extend failed = toint(resultCode) >= 500
| summarize total = sum(itemCount), bad = sumif(itemCount, failed), recentTotal = sumif(itemCount, timestamp > ago({1})), recentBad = sumif(itemCount, failed and timestamp > ago({1}))
| where bad >= 5 and recentTotal > 0
| extend burn = todouble(bad) / total / {2}, recentBurn = todouble(recentBad) / recentTotal / {2}
| where burn > {3} and recentBurn > {3}
'''

var latencyBurn = '''
requests
| where timestamp > ago({0})
| where isnotempty(url) and url !has '/health/'
| extend slow = duration > 3000
| summarize total = sum(itemCount), bad = sumif(itemCount, slow), recentTotal = sumif(itemCount, timestamp > ago({1})), recentBad = sumif(itemCount, slow and timestamp > ago({1}))
| where bad >= 20 and recentTotal > 0
| extend burn = todouble(bad) / total / {2}, recentBurn = todouble(recentBad) / recentTotal / {2}
| where burn > {3} and recentBurn > {3}
'''

// Arguments: window, names of functions, how many failures are too many.
var failing = '''
requests
| where timestamp > ago({0})
| where operation_Name in ({1}) and success == false
| summarize failures = sum(itemCount) by operation_Name
| where failures >= {2}
'''

var silent = '''
let expected = datatable(operation_Name: string) [{1}];
let seen = requests
| where timestamp > ago({0})
| where success == true
| distinct operation_Name;
expected
| join kind=leftanti seen on operation_Name
'''

var hostAlerts = [
  {
    name: 'availability-fast'
    text: '99.9 % of requests are answered without an error of ours. At this rate a month\'s errors are made in two days.'
    runbook: 'docs/runbooks/api-errors.md'
    severity: page
    window: 'PT1H'
    every: 'PT5M'
    query: format(availabilityBurn, '1h', '5m', '0.001', '14.4')
  }
  {
    name: 'availability-slow'
    text: '99.9 % of requests are answered without an error of ours. At this rate a month\'s errors are made in five days.'
    runbook: 'docs/runbooks/api-errors.md'
    severity: ticket
    window: 'PT6H'
    every: 'PT15M'
    query: format(availabilityBurn, '6h', '30m', '0.001', '6')
  }
  {
    name: 'latency-fast'
    text: '99 % of requests are answered within three seconds. At this rate a month\'s slow answers are given in two days.'
    runbook: 'docs/runbooks/slow-answers.md'
    severity: page
    window: 'PT1H'
    every: 'PT5M'
    query: format(latencyBurn, '1h', '5m', '0.01', '14.4')
  }
  {
    name: 'latency-slow'
    text: '99 % of requests are answered within three seconds. At this rate a month\'s slow answers are given in five days.'
    runbook: 'docs/runbooks/slow-answers.md'
    severity: ticket
    window: 'PT6H'
    every: 'PT15M'
    query: format(latencyBurn, '6h', '30m', '0.01', '6')
  }
  {
    name: 'unknown-charges'
    text: 'The functions that ask processors about charges of unknown outcome, or end those that have lapsed, fail.'
    runbook: 'docs/runbooks/unknown-charges.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: format(failing, '15m', '\'ResolveAttempts\', \'ExpireCharges\'', '2')
  }
  {
    name: 'payouts'
    text: 'Payouts are not run, or do not reach the bank.'
    runbook: 'docs/runbooks/payouts.md'
    severity: page
    window: 'PT30M'
    every: 'PT5M'
    query: format(failing, '30m', '\'RunPayouts\', \'ReleaseFunds\', \'SubmitForgottenPayouts\', \'PayoutSubmissionsFromServiceBus\', \'ScanBankInbox\'', '2')
  }
  {
    name: 'payout-checks'
    text: 'What payouts must add up to does not, or nobody could look.'
    runbook: 'docs/runbooks/payouts.md'
    severity: page
    window: 'P1D'
    every: 'PT1H'
    query: format(failing, '1d', '\'CheckPayouts\'', '1')
  }
  {
    name: 'ledger'
    text: 'The ledger does not verify, is not sealed, or nobody could look.'
    runbook: 'docs/runbooks/ledger.md'
    severity: page
    window: 'P1D'
    every: 'PT1H'
    query: format(failing, '1d', '\'VerifyLedger\', \'SealLedger\', \'KeepSeals\'', '1')
  }
  {
    name: 'provider-events'
    text: 'Events of partners cannot be applied: what they know of payments, disputes and payouts does not arrive in ours.'
    runbook: 'docs/runbooks/dead-letters.md'
    severity: page
    window: 'PT30M'
    every: 'PT5M'
    query: format(failing, '30m', '\'ProviderEventsFromServiceBus\'', '10')
  }
  {
    name: 'webhooks'
    text: 'Webhooks are not sent to merchants.'
    runbook: 'docs/runbooks/webhooks.md'
    severity: ticket
    window: 'PT30M'
    every: 'PT5M'
    query: format(failing, '30m', '\'WebhookDeliveriesFromServiceBus\', \'DispatchWebhooks\'', '5')
  }
  {
    name: 'nightly'
    text: 'What removes data past its time, or seals secrets under a new key, fails.'
    runbook: 'docs/runbooks/timers.md'
    severity: ticket
    window: 'P1D'
    every: 'PT1H'
    query: format(failing, '1d', '\'PurgeMessages\', \'PurgeWebhooks\', \'PurgeIdempotencyKeys\', \'ResealProviderCredentials\'', '1')
  }
  {
    name: 'measuring'
    text: 'What is open in the database is not measured: the alerts on it are blind.'
    runbook: 'docs/runbooks/timers.md'
    severity: ticket
    window: 'PT30M'
    every: 'PT15M'
    query: format(failing, '30m', '\'MeasureState\'', '5')
  }
  {
    name: 'outbox'
    text: 'The net under the outbox fails: messages that an instance could not send stay where they are.'
    runbook: 'docs/runbooks/outbox.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: format(failing, '15m', '\'RelayOutbox\'', '2')
  }
  {
    name: 'dead-letters'
    text: 'Messages were given up and are not even kept for an operator.'
    runbook: 'docs/runbooks/dead-letters.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: format(failing, '15m', '\'ProviderEventsDeadFromServiceBus\', \'WebhookDeliveriesDeadFromServiceBus\', \'PayoutSubmissionsDeadFromServiceBus\'', '2')
  }
  {
    name: 'disputes'
    text: 'Dispute files or deadlines are not looked at: a dispute is lost when its day passes.'
    runbook: 'docs/runbooks/disputes.md'
    severity: ticket
    window: 'PT1H'
    every: 'PT15M'
    query: format(failing, '1h', '\'ReceiveDisputeFile\', \'ScanDisputesInbox\', \'MatchDisputes\', \'ResolveDisputeResponses\', \'RefundEarlyWarnings\', \'WatchDisputeDeadlines\'', '2')
  }
  {
    name: 'timers-silent'
    text: 'A timer that runs every few minutes has not succeeded for three quarters of an hour.'
    runbook: 'docs/runbooks/timers.md'
    severity: page
    window: 'PT45M'
    every: 'PT15M'
    query: format(silent, '45m', '\'RelayOutbox\', \'ResolveAttempts\', \'ExpireCharges\', \'ReleaseFunds\', \'RunPayouts\', \'SubmitForgottenPayouts\', \'MatchDisputes\', \'WatchDisputeDeadlines\', \'ResolveDisputeResponses\', \'RefundEarlyWarnings\', \'ScanDisputesInbox\', \'ScanBankInbox\', \'DispatchWebhooks\', \'MeasureState\', \'KeepSeals\'')
  }
]

// Arguments: window, metric, how much is too much. The least of the values is taken where a state has to last, the highest where it need not.
var above = '''
customMetrics
| where timestamp > ago({0}) and name == '{1}'
| summarize highest = max(valueMax) by tostring(customDimensions)
| where highest > {2}
'''

var staysAbove = '''
customMetrics
| where timestamp > ago({0}) and name == '{1}'
| summarize least = min(valueMin), points = count() by tostring(customDimensions)
| where points > 1 and least > {2}
'''

var added = '''
customMetrics
| where timestamp > ago({0}) and name == '{1}'
| summarize total = sum(valueSum)
| where total > {2}
'''

var workerAlerts = [
  {
    name: 'unknown-age'
    text: 'A processor has not told for a quarter of an hour what became of an operation.'
    runbook: 'docs/runbooks/unknown-charges.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: format(above, '15m', 'payments.attempts.oldest', '900')
  }
  {
    name: 'unknown-many'
    text: 'More than fifty operations have an unknown outcome, and it does not get better.'
    runbook: 'docs/runbooks/unknown-charges.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: format(staysAbove, '15m', 'payments.attempts.open', '50')
  }
  {
    name: 'contradictions'
    text: 'A processor says otherwise than is recorded: somebody has to compare the two.'
    runbook: 'docs/runbooks/unknown-charges.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: format(added, '15m', 'payments.charges.contradictions', '0')
  }
  {
    name: 'authorization-rate'
    text: 'A processor authorizes less than seven of ten charges over half an hour, where it decided at least fifty.'
    runbook: 'docs/runbooks/authorization-rate.md'
    severity: page
    window: 'PT30M'
    every: 'PT10M'
    query: '''
customMetrics
| where timestamp > ago(30m) and name == 'payments.charges.outcomes'
| where tostring(customDimensions.operation) == 'charge'
| extend result = tostring(customDimensions.result)
| where result in ('authorized', 'succeeded', 'declined')
| summarize authorized = sumif(valueSum, result != 'declined'), decided = sum(valueSum) by provider = tostring(customDimensions.provider)
| where decided >= 50 and authorized / decided < 0.7
'''
  }
  {
    name: 'provider-slow'
    text: 'A processor takes longer than five seconds on average, over a quarter of an hour.'
    runbook: 'docs/runbooks/slow-answers.md'
    severity: ticket
    window: 'PT15M'
    every: 'PT5M'
    query: '''
customMetrics
| where timestamp > ago(15m) and name == 'payments.provider.latency'
| summarize mean = sum(valueSum) / sum(valueCount), calls = sum(valueCount) by provider = tostring(customDimensions.provider)
| where calls >= 20 and mean > 5
'''
  }
  {
    name: 'webhook-delay'
    text: 'Merchants hear of events more than five minutes late on average, over half an hour.'
    runbook: 'docs/runbooks/webhooks.md'
    severity: ticket
    window: 'PT30M'
    every: 'PT15M'
    query: '''
customMetrics
| where timestamp > ago(30m) and name == 'payments.webhooks.delay'
| summarize mean = sum(valueSum) / sum(valueCount), deliveries = sum(valueCount)
| where deliveries >= 20 and mean > 300
'''
  }
  {
    name: 'dispute-deadline'
    text: 'A dispute waits for a response that is due within a day, or was.'
    runbook: 'docs/runbooks/disputes.md'
    severity: ticket
    window: 'PT1H'
    every: 'PT1H'
    query: '''
customMetrics
| where timestamp > ago(1h) and name == 'payments.disputes.due' and tostring(customDimensions.within) in ('overdue', 'day')
| summarize due = max(valueMax) by within = tostring(customDimensions.within)
| where due > 0
'''
  }
  {
    name: 'disputes-unmatched'
    text: 'Partners speak of disputes whose payment is not known here.'
    runbook: 'docs/runbooks/disputes.md'
    severity: ticket
    window: 'PT6H'
    every: 'PT1H'
    query: format(staysAbove, '6h', 'payments.disputes.unmatched', '0')
  }
  {
    name: 'bank-unmatched'
    text: 'A bank says something of a payout, a file or an account of ours that was not applied, or holds a payout.'
    runbook: 'docs/runbooks/bank-reports.md'
    severity: ticket
    window: 'PT1H'
    every: 'PT15M'
    query: format(staysAbove, '1h', 'payments.bank_items.unmatched', '0')
  }
  {
    name: 'bank-file-rejected'
    text: 'A file of a bank was rejected: nothing of it was applied.'
    runbook: 'docs/runbooks/bank-reports.md'
    severity: page
    window: 'PT30M'
    every: 'PT15M'
    query: '''
customMetrics
| where timestamp > ago(30m) and name == 'payments.bank_items.unmatched' and tostring(customDimensions.reason) == 'file_rejected'
| summarize rejected = max(valueMax)
| where rejected > 0
'''
  }
  {
    name: 'payout-invariants'
    text: 'What payouts must add up to does not.'
    runbook: 'docs/runbooks/payouts.md'
    severity: page
    window: 'P1D'
    every: 'PT1H'
    query: format(above, '1d', 'payments.payouts.broken_invariants', '0')
  }
  {
    name: 'payout-run-open'
    text: 'A payout run has not reached the bank for two hours.'
    runbook: 'docs/runbooks/payouts.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: format(above, '15m', 'payments.payout_runs.oldest', '7200')
  }
  {
    name: 'payout-run-refused'
    text: 'Merchants of the newest payout run could not be paid.'
    runbook: 'docs/runbooks/payouts.md'
    severity: ticket
    window: 'PT1H'
    every: 'PT1H'
    query: format(staysAbove, '1h', 'payments.payout_runs.refused', '0')
  }
  {
    name: 'events-waiting'
    text: 'An event of a partner has been waiting for a quarter of an hour to be applied.'
    runbook: 'docs/runbooks/dead-letters.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: format(above, '15m', 'payments.provider_events.oldest', '900')
  }
  {
    name: 'letters-waiting'
    text: 'Messages that were given up wait for an operator.'
    runbook: 'docs/runbooks/dead-letters.md'
    severity: ticket
    window: 'PT1H'
    every: 'PT1H'
    query: format(staysAbove, '1h', 'payments.dead_letters.waiting', '0')
  }
  {
    name: 'unsealed'
    text: 'Postings have not been sealed for ten minutes: a transaction holds the sealing up, or nobody seals.'
    runbook: 'docs/runbooks/ledger.md'
    severity: ticket
    window: 'PT15M'
    every: 'PT5M'
    query: format(above, '15m', 'payments.ledger.unsealed', '600')
  }
  {
    name: 'outbox-age'
    text: 'A message has been waiting in the outbox for more than two minutes.'
    runbook: 'docs/runbooks/outbox.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: '''
customMetrics
| where timestamp > ago(15m) and name == 'payments.outbox.oldest'
| summarize least = min(valueMin), points = count()
| where points > 1 and least > 120
'''
  }
  {
    name: 'overload'
    text: 'Callers are refused because the database does not keep up with what waits.'
    runbook: 'docs/runbooks/hot-database.md'
    severity: page
    window: 'PT15M'
    every: 'PT5M'
    query: '''
customMetrics
| where timestamp > ago(15m) and name == 'payments.group_commit.refused'
| summarize refused = sum(valueSum)
| where refused > 0
'''
  }
  {
    name: 'commits-fail'
    text: 'Batches of writes fail and are tried again in halves.'
    runbook: 'docs/runbooks/hot-database.md'
    severity: ticket
    window: 'PT1H'
    every: 'PT15M'
    query: '''
customMetrics
| where timestamp > ago(1h) and name == 'payments.group_commit.failed_batches'
| summarize failed = sum(valueSum)
| where failed > 10
'''
  }
  {
    name: 'webhooks-refused'
    text: 'Webhooks of a partner are refused: its secret or its format has changed, or somebody tries.'
    runbook: 'docs/runbooks/key-rotation.md'
    severity: ticket
    window: 'PT30M'
    every: 'PT15M'
    query: '''
customMetrics
| where timestamp > ago(30m) and name == 'payments.webhooks.refused'
| summarize refused = sum(valueSum)
| where refused > 20
'''
  }
]

resource people 'Microsoft.Insights/actionGroups@2023-01-01' = {
  name: 'ag-payments-${environmentName}'
  location: 'global'
  tags: tags
  properties: {
    groupShortName: 'payments'
    enabled: true
    emailReceivers: [
      {
        name: 'operators'
        emailAddress: email
        useCommonAlertSchema: true
      }
    ]
  }
}

resource logAlerts 'Microsoft.Insights/scheduledQueryRules@2023-12-01' = [
  for alert in concat(hostAlerts, workerAlerts): {
    name: 'payments-${environmentName}-${alert.name}'
    location: location
    tags: tags
    kind: 'LogAlert'
    properties: {
      displayName: 'payments ${environmentName}: ${alert.name}'
      description: '${alert.text} See ${alert.runbook}.'
      severity: alert.severity
      enabled: true
      scopes: [insightsId]
      windowSize: alert.window
      evaluationFrequency: alert.every
      autoMitigate: true
      criteria: {
        allOf: [
          {
            query: alert.query
            timeAggregation: 'Count'
            operator: 'GreaterThan'
            threshold: 0
            failingPeriods: {
              numberOfEvaluationPeriods: 1
              minFailingPeriodsToAlert: 1
            }
          }
        ]
      }
      actions: {
        actionGroups: [people.id]
        customProperties: { runbook: alert.runbook }
      }
    }
  }
]

var platformAlerts = [
  {
    name: 'queue-backlog'
    text: 'Messages wait in a queue and are not worked off.'
    runbook: 'docs/runbooks/outbox.md'
    severity: ticket
    watched: serviceBusId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'ActiveMessages'
    threshold: 5000
    operator: 'GreaterThan'
    window: 'PT15M'
  }
  {
    name: 'dead-letters-kept'
    text: 'Messages stand in a dead-letter queue of Service Bus, where the app should have taken them from.'
    runbook: 'docs/runbooks/dead-letters.md'
    severity: page
    watched: serviceBusId
    namespace: 'Microsoft.ServiceBus/namespaces'
    metric: 'DeadletteredMessages'
    threshold: 0
    operator: 'GreaterThan'
    window: 'PT15M'
  }
  {
    name: 'database-cpu'
    text: 'The database has been above 85 % of its processors for a quarter of an hour.'
    runbook: 'docs/runbooks/hot-database.md'
    severity: page
    watched: postgresId
    namespace: 'Microsoft.DBforPostgreSQL/flexibleServers'
    metric: 'cpu_percent'
    threshold: 85
    operator: 'GreaterThan'
    window: 'PT15M'
  }
  {
    name: 'database-storage'
    text: 'Four fifths of the database\'s storage are used.'
    runbook: 'docs/runbooks/hot-database.md'
    severity: ticket
    watched: postgresId
    namespace: 'Microsoft.DBforPostgreSQL/flexibleServers'
    metric: 'storage_percent'
    threshold: 80
    operator: 'GreaterThan'
    window: 'PT15M'
  }
  {
    name: 'database-down'
    text: 'The database does not answer.'
    runbook: 'docs/runbooks/restore.md'
    severity: page
    watched: postgresId
    namespace: 'Microsoft.DBforPostgreSQL/flexibleServers'
    metric: 'is_db_alive'
    threshold: 1
    operator: 'LessThan'
    window: 'PT5M'
  }
]

resource metricAlerts 'Microsoft.Insights/metricAlerts@2018-03-01' = [
  for alert in platformAlerts: {
    name: 'payments-${environmentName}-${alert.name}'
    location: 'global'
    tags: tags
    properties: {
      description: '${alert.text} See ${alert.runbook}.'
      severity: alert.severity
      enabled: true
      scopes: [alert.watched]
      evaluationFrequency: 'PT1M'
      windowSize: alert.window
      autoMitigate: true
      criteria: {
        'odata.type': 'Microsoft.Azure.Monitor.SingleResourceMultipleMetricCriteria'
        allOf: [
          {
            criterionType: 'StaticThresholdCriterion'
            name: alert.metric
            metricNamespace: alert.namespace
            metricName: alert.metric
            timeAggregation: alert.metric == 'is_db_alive' ? 'Maximum' : 'Average'
            operator: alert.operator
            threshold: alert.threshold
          }
        ]
      }
      actions: [
        {
          actionGroupId: people.id
          webHookProperties: { runbook: alert.runbook }
        }
      ]
    }
  }
]
