// The templates are right, and the checks would notice if they were not: each case breaks one file in memory and expects the sentence that says so.
import { test } from 'node:test';
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { check } from './check.mjs';

const root = fileURLToPath(new URL('../..', import.meta.url));

test('the templates agree with themselves and with the code', () => assert.deepEqual(check(root), []));

const main = 'infra/bicep/main.bicep';
const module = name => `infra/bicep/modules/${name}.bicep`;
const prod = 'infra/bicep/environments/prod.bicepparam';

const cases = [
    ['text that is not Bicep', main, 'targetScope =', 'targetScope ==', /not Bicep/],
    ['a name that nothing declares', main, 'storageId: storage.outputs.id', 'storageId: store.outputs.id', /'store' is not declared/],
    ['a parameter that nothing uses', module('budget'), 'param amount int', 'param amount int\nparam more int', /'more' is never used|'more' of .* is missing/],
    ['a parameter that a module lacks', main, 'amount: monthlyBudget', 'sum: monthlyBudget', /has no parameter 'sum'/],
    ['a parameter that is forgotten', main, 'amount: monthlyBudget', '', /the parameter 'amount' .* is missing/],
    ['an output that a module lacks', main, 'storage.outputs.packageContainerUri', 'storage.outputs.packageUri', /has no output 'packageUri'/],
    ['a module that does not exist', main, 'modules/budget.bicep', 'modules/money.bicep', /there is no modules\/money.bicep/],
    ['another API version', module('postgres'), 'flexibleServers@2025-08-01', 'flexibleServers@2024-08-01', /is pinned to 2025-08-01/],
    ['a type that is not pinned', module('budget'), 'Microsoft.Consumption/budgets', 'Microsoft.Consumption/credits', /no API version is pinned/],
    ['a role of another name', module('servicebus'), '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0', '69a216fc-b8fb-44d8-bc22-1f3c2cd27a39', /is not the role 'serviceBusDataReceiver'/],
    ['a role that is not pinned', module('servicebus'), '4f6d3b9b-027b-4f4c-9142-0e5a2a2247e0', '090c5cfd-751d-490a-894a-3ce6f1109419', /is not a pinned role/],
    ['a role on everything', module('servicebus'), '    scope: queues[i]\n', '', /without a scope/],
    ['shared keys', module('storage'), 'allowSharedKeyAccess: false', 'allowSharedKeyAccess: true', /must say allowSharedKeyAccess: false/],
    ['passwords', module('postgres'), 'passwordAuth: \'Disabled\'', 'passwordAuth: \'Enabled\'', /must say passwordAuth/],
    ['a queue that the code does not know', module('servicebus'), '\'webhook-deliveries\'', '\'webhooks\'', /queue 'webhook-deliveries' is missing/],
    ['a queue that only the code knows', 'domain/Messaging/QueueNames.cs', 'public static IReadOnlyList', 'public const string More = "more-work";\n    public static IReadOnlyList', /queue 'more-work' is missing/],
    ['another number of deliveries', 'host.json', '"maxDequeueCount": 5', '"maxDequeueCount": 9', /delivered 5 times, but host.json says 9/],
    ['a container that is forgotten', module('storage'), '  \'disputes-rejected\'\n', '', /container 'disputes-rejected' is missing/],
    ['seals that can be removed', module('storage'), 'allowProtectedAppendWrites: true', 'allowProtectedAppendWrites: false', /must say allowProtectedAppendWrites: true/],
    ['a container twice', module('storage'), '  \'payout-files\'\n', '  \'payout-files\'\n  \'payout-files\'\n', /container 'payout-files' stands there twice/],
    ['an event for no function', 'infra/bicep/events.bicep', '\'ReceiveDisputeFile\'', '\'ReceiveFile\'', /knows no blob function 'ReceiveFile on disputes-inbox'/],
    ['an inbox without events', 'infra/bicep/events.bicep', '\'disputes-inbox\'', '\'disputes-in\'', /blob function 'ReceiveDisputeFile on disputes-inbox' is missing/],
    ['a function that fails unseen', module('alerts'), ', \\\'WatchDisputeDeadlines\\\'\', \'2\')', '\', \'2\')', /no alert tells that 'WatchDisputeDeadlines' fails/],
    ['a setting that the code reads', module('functionapp'), '  Charges__ResolveSchedule: \'*/10 * * * * *\'\n', '', /the code reads Charges:ResolveSchedule/],
    ['a setting that nothing reads', module('functionapp'), '  Messaging__Transport:', '  Messaging__Speed: \'high\'\n  Messaging__Transport:', /nothing reads Messaging__Speed/],
    ['a setting that Flex forbids', module('functionapp'), '  Messaging__Transport:', '  FUNCTIONS_WORKER_RUNTIME: \'dotnet-isolated\'\n  Messaging__Transport:', /may not be set on Flex/],
    ['a setting of the sample alone', 'local.settings.sample.json', '"Secrets__ActiveKey"', '"Secrets__Other": "",\n    "Secrets__ActiveKey"', /sets Secrets__Other, this does not/],
    ['a function of the other transport that runs', module('functionapp'), '  \'PayoutSubmissionsFromStorage\'\n', '', /disabled function 'PayoutSubmissionsFromStorage' is missing/],
    ['an alert without a page', module('alerts'), 'docs/runbooks/timers.md', 'docs/runbooks/clocks.md', /names docs\/runbooks\/clocks.md, which is missing/],
    ['an alert that its page does not know', module('alerts'), 'name: \'timers-silent\'', 'name: \'timers-still\'', /does not say what the alert 'timers-still' means/],
    ['an alert on no function', module('alerts'), '\'15m\', \'\\\'RelayOutbox', '\'15m\', \'\\\'RelayInbox', /watches 'RelayInbox', which is no function/],
    ['an alert on no metric', module('alerts'), 'payments.outbox.oldest', 'payments.outbox.eldest', /which nothing measures/],
    ['a metric that nobody explains', 'docs/observability.md', '`payments.attempts.oldest`', 'it', /does not explain payments.attempts.oldest/],
    ['a metric that nobody looks at', 'domain/Database/GroupCommitMetrics.cs', '"payments.group_commit.refused"', '"payments.group_commit.rejected"', /payments.group_commit.rejected is measured, and neither/],
    ['evidence that does not exist', 'docs/security.md', '`RevokedKey_IsRefused`', '`RevokedKey_Sometimes_Works`', /there is no test RevokedKey_Sometimes_Works/],
    ['a chart of no metric', 'infra/bicep/modules/workbook.json', 'payments.webhooks.attempts', 'payments.webhooks.tries', /shows payments.webhooks.tries, which nothing measures/],
    ['more connections than the server has', prod, 'maximumInstances: 60', 'maximumInstances: 600', /do not fit/],
    ['zones with one instance', prod, 'alwaysReadyHttp: 2', 'alwaysReadyHttp: 1', /needs two instances/],
    ['an environment without a parameter', prod, 'param monthlyBudget = 4000\n', '', /the parameter 'monthlyBudget' is missing/],
];

for (const [what, file, from, to, expected] of cases) {
    test(`notices ${what}`, () => {
        assert.ok(readFileSync(`${root}/${file}`, 'utf8').includes(from), `${file} no longer says ${from}`);
        const problems = check(root, { [file]: text => text.replace(from, () => to) });
        assert.ok(problems.some(problem => expected.test(problem)), `found: ${problems.join('\n') || 'nothing'}`);
    });
}
