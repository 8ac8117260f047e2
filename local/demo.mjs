// One payment's story, played against a running app: charge, the processor's webhook, funds available, dispute, nightly payout by a
// bank file, the bank's statement, and the merchant's own webhooks. Every step states what must hold; the first that does not ends the program with status 1.
import { createServer } from 'node:http';
import { createHmac, randomUUID } from 'node:crypto';
import { Webhook } from 'standardwebhooks';

const settings = ['PAYMENTS_URL', 'PAYMENTS_PLATFORM_KEY', 'PAYMENTS_ACQUIRER_URL', 'PAYMENTS_ACQUIRER_KEY', 'PAYMENTS_STORAGE'].map((name) => process.env[name]);
if (settings.includes(undefined)) {
    console.error('Start the story with ./run demo: it says where the app is.');
    process.exit(2);
}
const [url, platformKey, acquirerUrl, acquirerKey, storage] = settings;
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

// Blobs as a bank's transfer gateway would reach them: signed with the account's key.
const setting = (name) => storage.split(';').find((part) => part.startsWith(`${name}=`))?.slice(name.length + 1);
const blobs = { account: setting('AccountName'), key: setting('AccountKey'), endpoint: setting('BlobEndpoint')?.replace(/\/$/, '') };
async function blob(method, name, body, headers = {}) {
    const address = new URL(`${blobs.endpoint}/${name}`);
    const signed = { ...headers, 'x-ms-date': new Date().toUTCString(), 'x-ms-version': '2021-08-06' };
    const length = body ? `${Buffer.byteLength(body)}` : '';
    const query = [...address.searchParams].sort().map(([key, value]) => `\n${key}:${value}`).join('');
    const text = [method, '', '', length, '', body ? 'application/xml' : '', '', '', '', '', '', '',
        ...Object.keys(signed).sort().map((key) => `${key}:${signed[key]}`), `/${blobs.account}${address.pathname}${query}`].join('\n');
    const signature = createHmac('sha256', Buffer.from(blobs.key, 'base64')).update(text, 'utf8').digest('base64');
    const response = await fetch(address, {
        method, body, headers: { ...signed, ...(body && { 'content-type': 'application/xml' }), authorization: `SharedKey ${blobs.account}:${signature}` },
    });
    const answer = await response.text();
    return { status: response.status, answer };
}

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
    const { secret: key } = await post(`/v1/merchants/${merchant.id}/api_keys`, platformKey, { mode: 'live' });
    // The platform registers the endpoint: a live key takes only https addresses.
    const endpoint = await post('/v1/webhook_endpoints', platformKey, { url: `http://127.0.0.1:${listener.address().port}/hooks`, event_types: ['*'] }, { 'on-behalf-of': merchant.id });
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

    step('The merchant gives its bank account, and the nightly payout writes a file for the bank');
    const iban = 'DE89370400440532013000';
    await call(url, 'PUT', `/v1/payout_settings/${currency}/bank_account`, platformKey,
        { type: 'iban', holder_name: 'Story Shop & Söhne', iban, verified: true }, { 'on-behalf-of': merchant.id });
    const preview = await get(`/v1/payouts/preview?currency=${currency}`, key);
    check(preview.amount === owed && !preview.reason, `the preview says ${JSON.stringify(preview)}, owed is ${owed}`);
    tell(`the preview says what the run will pay: ${money(preview.amount)}`);
    // A date is run once. Where tonight's run is over, an earlier night that was never run does as well.
    const runs = async () => (await get('/v1/payout_runs', platformKey)).data.filter((run) => run.currency === currency);
    const done = new Set((await runs()).map((run) => run.date));
    const ours = async () => (await get('/v1/payouts', key)).data[0];
    let payout;
    for (let night = new Date(); !payout; night = new Date(night - 24 * 3600 * 1000)) {
        const date = night.toISOString().slice(0, 10);
        if (!done.has(date)) {
            const run = await post('/v1/payout_runs', platformKey, { currency, date });
            tell(`run of ${date}: ${run.status}, ${run.payouts} payouts by ${run.rail}`);
        }
        payout = await ours();
        check(payout || done.add(date).size < 1000, 'no run pays the merchant');
    }
    check(payout.amount === owed, `the payout is ${payout.amount}, owed is ${owed}`);
    const lines = (await get(`/v1/payouts/${payout.id}/balance_transactions`, key)).data;
    check(sum(lines.map((line) => line.net)) === 0 && sum(lines.filter((line) => line.type !== 'payout').map((line) => line.net)) === payout.amount,
        'the lines of the payout do not sum to it');
    for (const line of lines)
        tell(`  ${line.type.padEnd(12)} ${line.source}  ${money(line.net).padStart(12)}`);

    step('The bank fetches the file, and its statement of the next day says that the money is there');
    const reference = payout.id.replace('po_', 'PO');
    await eventually('the payout to be handed to the bank', 30, async () => (await ours()).status === 'in_transit');
    const found = [];
    for (const run of await runs()) {
        for (const file of (await get(`/v1/payout_runs/${run.id}/files`, platformKey)).data) {
            const { status, answer } = await blob('GET', `payout-files/${file.name}`);
            check(status === 200, `the container payout-files answered ${status} for ${file.name}`);
            if (answer.includes(reference))
                found.push({ run, file, content: answer });
        }
    }
    check(found.length === 1, `the payout stands in ${found.length} files`);
    const [{ run, file, content }] = found;
    const again = await post('/v1/payout_runs', platformKey, { currency, date: run.date });
    check(again.payouts === run.payouts && (await get('/v1/payouts', key)).data.length === 1, 'a second run of the same night paid again');
    const [credit] = content.split('<CdtTrfTxInf>').filter((part) => part.includes(reference));
    const has = (text, what) => check(credit.includes(text), `the file says another ${what}: ${credit}`);
    has(`<InstdAmt Ccy="${currency}">${(owed / 100).toFixed(2)}</InstdAmt>`, 'amount');
    has(`<IBAN>${iban}</IBAN>`, 'account');
    has('<Nm>Story Shop + Soehne</Nm>', 'name');
    check(content.includes(`<NbOfTxs>${file.payouts}</NbOfTxs>`) && content.split('<CdtTrfTxInf>').length - 1 === file.payouts
        && content.includes(`<CtrlSum>${(file.amount / 100).toFixed(2)}</CtrlSum>`), 'the control sums of the file are not those of its payments');
    tell(`payout-files/${file.name}: ${file.payouts} payments, ${money(file.amount)}, pain.001.001.09`);
    const payer = /<DbtrAcct>\s*<Id>\s*<IBAN>(\w+)</.exec(content)?.[1];
    check(payer, 'the file names no account that it is paid from');
    const report = `<?xml version="1.0" encoding="UTF-8"?>
<Document xmlns="urn:iso:std:iso:20022:tech:xsd:camt.053.001.08"><BkToCstmrStmt>
<GrpHdr><MsgId>${reference.slice(2, 30)}</MsgId><CreDtTm>${new Date().toISOString().slice(0, 19)}</CreDtTm></GrpHdr>
<Stmt><Id>1</Id><Acct><Id><IBAN>${payer}</IBAN></Id></Acct>
<Bal><Tp><CdOrPrtry><Cd>CLBD</Cd></CdOrPrtry></Tp><Amt Ccy="${currency}">0.00</Amt><CdtDbtInd>CRDT</CdtDbtInd><Dt><Dt>${run.date}</Dt></Dt></Bal>
<Ntry><Amt Ccy="${currency}">${(owed / 100).toFixed(2)}</Amt><CdtDbtInd>DBIT</CdtDbtInd><Sts><Cd>BOOK</Cd></Sts><BkTxCd/>
<NtryDtls><TxDtls><Refs><EndToEndId>${reference}</EndToEndId></Refs></TxDtls></NtryDtls></Ntry>
</Stmt></BkToCstmrStmt></Document>`;
    const container = await blob('PUT', 'bank-inbox?restype=container');
    check([201, 409].includes(container.status), `the container bank-inbox answered ${container.status}: ${container.answer}`);
    const dropped = await blob('PUT', `bank-inbox/statement-${payout.id}.xml`, report, { 'x-ms-blob-type': 'BlockBlob' });
    check(dropped.status === 201, `the container bank-inbox answered ${dropped.status}: ${dropped.answer}`);
    tell(`bank-inbox/statement-${payout.id}.xml: camt.053 (a timer looks every half minute)`);
    payout = await eventually("the bank's statement to mark the payout as paid", 90, async () => {
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
