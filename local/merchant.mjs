// Makes the demo merchant and its API key through the API, once, and keeps them in the file named by the argument.
// Both requests carry keys of their own, kept before they are sent, so that a set-up that is cut off makes no second merchant.
import { existsSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import { randomUUID } from 'node:crypto';

const file = process.argv[2];
const { PAYMENTS_URL: url, PAYMENTS_PLATFORM_KEY: platformKey } = process.env;

const keep = (state) => {
    writeFileSync(`${file}.tmp`, JSON.stringify(state, null, 2) + '\n', { mode: 0o600 });
    renameSync(`${file}.tmp`, file);
};

const call = async (method, path, key, body, idempotencyKey) => {
    const response = await fetch(url + path, {
        method,
        headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json', ...(idempotencyKey && { 'idempotency-key': idempotencyKey }) },
        body: body && JSON.stringify(body),
    });
    const answer = await response.json().catch(() => ({}));
    return { status: response.status, answer };
};

const made = (what, { status, answer }) => {
    if (status !== 201)
        throw new Error(`${what}: ${status} ${answer.code ?? ''} ${answer.detail ?? ''}`.trim());
    return answer;
};

try {
    let state = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {};
    // A database that was replaced does not know the key any more.
    if (state.key && (await call('GET', '/v1/charges?limit=1', state.key)).status === 401)
        state = {};
    if (!state.key) {
        if (!state.attempt)
            keep((state = { attempt: randomUUID() }));
        const merchant = made('merchant', await call('POST', '/v1/merchants', platformKey,
            { name: 'Demo Shop', country: 'DE', payout_delay_days: 0 }, `demo-merchant-${state.attempt}`));
        const key = made('API key', await call('POST', `/v1/merchants/${merchant.id}/api_keys`, platformKey,
            { mode: 'test' }, `demo-key-${state.attempt}`));
        keep({ merchant: key.merchant, key: key.secret });
    }
} catch (problem) {
    console.error(problem.message);
    process.exitCode = 1;
}
