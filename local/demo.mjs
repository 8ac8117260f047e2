// One payment's story, played against a running app: charge, the processor's webhook, funds available, dispute, nightly payout, and
// the merchant's own webhooks. Every step states what must hold; the first that does not ends the program with status 1.
import { createServer } from 'node:http';
import { randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

const settings = ['PAYMENTS_URL', 'PAYMENTS_PLATFORM_KEY', 'PAYMENTS_ACQUIRER_URL', 'PAYMENTS_ACQUIRER_KEY'].map((name) => process.env[name]);
if (settings.includes(undefined)) {
    console.error('Start the story with ./run demo: it says where the app is.');
    process.exit(2);
}
const [url, platformKey, acquirerUrl, acquirerKey] = settings;
const currency = 'EUR';

class Broken extends Error { }
const check = (holds, what) => {
    if (!holds)
        throw new Broken(what);
};
const money = (minor) => `${currency} ${(minor / 100).toFixed(2)}`;
const sum = (numbers) => numbers.reduce((total, number) => total + number, 0);

let steps = 0;
const step = (title) => console.log(`\n${++steps}. ${title}`);
const tell = (text) => console.log(`   ${text}`);

async function call(base, method, path, key, body, headers = {}) {
    const response = await fetch(base + path, {
        method,
        headers: { authorization: `Bearer ${key}`, ...(body && { 'content-type': 'application/json' }), ...headers },
        body: body && JSON.stringify(body),
    });
    const text = await response.text();
    check(response.ok, `${method} ${path} answered ${response.status}: ${text}`);
    return text ? JSON.parse(text) : undefined;
}

const get = (path, key) => call(url, 'GET', path, key);
const post = (path, key, body, headers = {}) => call(url, 'POST', path, key, body, { 'idempotency-key': randomUUID(), ...headers });
const acquirer = (method, path, body) => call(acquirerUrl, method, path, acquirerKey, body);

// What other processes do takes its time: looked at again and again until it holds.
async function eventually(what, seconds, look) {
    for (const deadline = Date.now() + seconds * 1000; ;) {
        const found = await look();
        if (found)
            return found;
        check(Date.now() < deadline, `not within ${seconds} s: ${what}`);
        await new Promise((done) => setTimeout(done, 200));
    }
}

// The merchant's server. It accepts nothing that the published Standard Webhooks library does not verify.
const received = [];
let secret;
let refused = 0;
const listener = createServer(async (request, response) => {
    const chunks = [];
    for await (const chunk of request)
        chunks.push(chunk);
    const body = Buffer.concat(chunks).toString('utf8');
    try {
        received.push({ id: request.headers['webhook-id'], event: new Webhook(secret).verify(body, request.headers), body, headers: request.headers });
        response.writeHead(204).end();
    } catch {
        refused++;
        response.writeHead(400).end();
    }
});
await new Promise((done) => listener.listen(0, '127.0.0.1', done));
const heard = (type, about) => received.find(({ event }) => event.type === type && JSON.stringify(event.data).includes(about));

let merchant;
const merchantAccount = (part) => `merchant/${merchant.id}/${part}`;
const statement = (part) =>
    get(`/v1/ledger/statement?account=${encodeURIComponent(merchantAccount(part))}&currency=${currency}&limit=100`, platformKey);

// Prints the journals of some kinds behind the lines of an account.
async function ledger(part, kinds) {
    const lines = (await statement(part)).data.filter((line) => line.kind.startsWith(kinds)).reverse();
    check(lines.length > 0, `the ledger has no ${kinds} on ${merchantAccount(part)}`);
    const told = new Set();
    for (const line of lines) {
        if (told.has(line.external_key))
            continue;
        told.add(line.external_key);
        const journal = await get(`/v1/ledger/journals/${line.external_key.split('/').map(encodeURIComponent).join('/')}`, platformKey);
        for (const transfer of journal.transfers) {
            const name = (account) => account.replace(merchant.id, '…').padEnd(28);
            tell(`  ledger  ${name(transfer.debit)} -> ${name(transfer.credit)} ${money(transfer.amount).padStart(12)}  ${journal.kind}`);
        }
    }
}

async function balance(key) {
    const { balances } = await get('/v1/balance', key);
    return balances.find((each) => each.currency === currency) ?? { pending: 0, available: 0, reserve: 0, disputed: 0, in_transit: 0 };
}

async function story() {
    step('A business joins the platform');
    merchant = await post('/v1/merchants', platformKey, { name: 'Story Shop', country: 'DE', payout_delay_days: 0 });
    const { secret: key } = await post(`/v1/merchants/${merchant.id}/api_keys`, platformKey, { mode: 'test' });
    const endpoint = await post('/v1/webhook_endpoints', key, { url: `http://127.0.0.1:${listener.address().port}/hooks`, event_types: ['*'] });
    secret = endpoint.secret;
    tell(`${merchant.id} with an API key and a webhook endpoint`);

    step('Two customers pay. The answer to the second payment is lost on its way back')
    const charge = async (amount, payment_method, description) => {
        const made = await post('/v1/charges', key, { amount, currency, payment_method, description });
        tell(`${made.id} ${made.status} ${money(made.amount)}`);
        return made;
    };
    const kept = await charge(10000, 'tok_visa', 'Order 1001');
    check(kept.status === 'captured', `the charge is ${kept.status}`);
    const lost = await charge(4000, 'tok_drop_after_charging', 'Order 1002');
    check(['processing', 'captured'].includes(lost.status), `a charge whose outcome is unknown is called ${lost.status}`);

    step("The processor's webhooks tell what happened, and change nothing that is already known")
    const disputed = await eventually('the end of the second charge', 30, async () => {
        const now = await get(`/v1/charges/${lost.id}`, key);
        return now.status === 'captured' && now;
    });
    tell(`${disputed.id} ${disputed.status}`);
    for (const about of [kept, disputed]) {
        const news = await eventually(`the processor's webhook about ${about.id}`, 30, async () => {
            for (const event of (await get('/v1/provider_events?provider=sandbox&limit=100', platformKey)).data) {
                if (event.type !== 'payment.captured' || !event.processed_at)
                    continue;
                const { payload } = await get(`/v1/provider_events/${event.id}`, platformKey);
                if (payload.data.id === about.provider_reference)
                    return event;
            }
        });
        tell(`${news.type} about ${about.provider_reference}: ${news.status}${news.detail ? ` (${news.detail})` : ''}`);
    }
    await ledger('pending', 'capture');
    const fees = kept.fee + disputed.fee;
    const before = await balance(key);
    check(before.pending + before.available === 14000 - fees, 'what the merchant has is not each charge once, without its fee');

    step('The funds become available (a timer looks every minute)');
    await eventually('the funds available', 90, async () => (await balance(key)).available === 14000 - fees);
    await ledger('available', 'funds');

    step('The second customer disputes the payment');
    await acquirer('POST', '/control/disputes', { payment_id: disputed.provider_reference });
    const dispute = await eventually('the dispute', 30, async () =>
        (await get('/v1/disputes', key)).data.find((each) => each.charge === disputed.id && each.withdrawn === 4000));
    tell(`${dispute.id} ${dispute.status}: ${dispute.reason}, answer until ${dispute.evidence_due_by}`);
    await ledger('available', 'dispute');
    const after = await balance(key);
    const owed = 14000 - fees - 4000 - dispute.fee;
    check(after.disputed === 4000 && after.available === owed, `after the dispute ${JSON.stringify(after)} stands, not ${owed} available and 4000 disputed`);

    step('The merchant gives its bank account, and the nightly payout runs');
    await call(url, 'PUT', `/v1/payout_settings/${currency}/bank_account`, platformKey,
        { type: 'iban', holder_name: 'Story Shop', iban: 'DE89370400440532013000', verified: true }, { 'on-behalf-of': merchant.id });
    // A date is run once. Where tonight's run is over, an earlier night that was never run does as well.
    const done = new Set((await get('/v1/payout_runs', platformKey)).data.filter((run) => run.currency === currency).map((run) => run.date));
    const ours = async () => (await get('/v1/payouts', key)).data[0];
    let payout;
    for (let night = new Date(); !payout; night = new Date(night - 24 * 3600 * 1000)) {
        const date = night.toISOString().slice(0, 10);
        if (!done.has(date))
            tell(`run of ${date}: ${(await post('/v1/payout_runs', platformKey, { currency, date })).status}`);
        payout = await ours();
        check(payout || done.add(date).size < 1000, 'no run pays the merchant');
    }
    check(payout.amount === owed, `the payout is ${payout.amount}, owed is ${owed}`);
    payout = await eventually("the bank's confirmation of the payout", 60, async () => {
        const now = await ours();
        return now.status === 'paid' && now;
    });
    tell(`${payout.id} ${payout.status} ${money(payout.amount)} to ${payout.bank_account}`);
    await ledger('in_transit', 'payout');

    step("The merchant's server heard of all of it");
    for (const [type, about] of [['charge.captured', kept.id], ['charge.captured', disputed.id], ['balance.available', merchant.id], ['dispute.created', dispute.id],
        ['payout.created', payout.id], ['payout.paid', payout.id]]) {
        const delivery = await eventually(`the webhook ${type} about ${about}`, 60, () => heard(type, about));
        tell(`${type.padEnd(18)} ${about}  verified`);
        check(delivery.id, `the webhook ${type} has no webhook-id`);
    }
    check(refused === 0, `${refused} webhooks could not be verified`);
    const [sample] = received;
    let forged = false;
    try {
        new Webhook(secret).verify(sample.body.replace('"', ' "'), sample.headers);
        forged = true;
    } catch { }
    check(!forged, 'a changed body passed the verification');
    tell(`${received.length} webhooks verified with the published library, none refused; a changed body is not accepted`);

    step('The books balance');
    const last = await balance(key);
    check(sum([last.pending, last.available, last.reserve, last.in_transit]) === 0 && last.disputed === 4000, `what stands at the end is ${JSON.stringify(last)}`);
    const trial = await get('/v1/ledger/trial_balance', platformKey);
    const totals = {};
    for (const row of trial.rows) {
        totals[row.currency] ??= { debit: 0, credit: 0 };
        totals[row.currency].debit += row.debit;
        totals[row.currency].credit += row.credit;
        if (row.currency === currency)
            tell(`${row.account.padEnd(28)} ${`${(row.debit / 100).toFixed(2)}`.padStart(14)} ${`${(row.credit / 100).toFixed(2)}`.padStart(14)}`);
    }
    check(trial.balanced && Object.values(totals).every(({ debit, credit }) => debit === credit), 'the trial balance is not zero');
    tell(`trial balance: debits - credits = 0 in ${Object.keys(totals).join(', ')}`);
}

try {
    await story();
    console.log('\nAll of it held.');
} catch (problem) {
    console.error(`\nIt did not hold: ${problem instanceof Broken ? problem.message : problem.stack}`);
    process.exitCode = 1;
} finally {
    listener.closeAllConnections();
    listener.close();
}
