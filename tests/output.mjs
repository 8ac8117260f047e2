// Searches what the suite printed, the logs of every process and the test reports alike, for what no line may hold: card numbers, verification codes, keys, webhook
// secrets, passwords.
//
//   node tests/output.mjs FOLDER [SECRET...]     prints what was found, then "PASSED FAILED"
//
// SECRET is a value of this run. Each detector first has to find a planted example, so that a detector that went blind fails the run.
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, relative } from 'node:path';

const [folder, ...secrets] = process.argv.slice(2);

const luhn = digits => {
    let sum = 0;
    for (let i = 0; i < digits.length; i++) {
        let digit = Number(digits[digits.length - 1 - i]);
        if (i % 2 === 1 && (digit *= 2) > 9) digit -= 9;
        sum += digit;
    }
    return sum % 10 === 0;
};

// Card numbers begin with 2 to 6 and stand alone; ids, hashes and times have letters or more digits around them.
function* cardNumbers(text) {
    for (const match of text.matchAll(/(?<![\w.:+/=-])[2-6]\d{3}(?:[ -]?\d{4}){2}[ -]?\d{1,7}(?![\w:+/=-]|\.\d)/g)) {
        const digits = match[0].replace(/\D/g, '');
        if (digits.length >= 13 && digits.length <= 19 && !/^(\d)\1+$/.test(digits) && luhn(digits)) yield match;
    }
}

const detectors = [
    ['a card number', cardNumbers, 'charged 4242 4242 4242 4242 today'],
    ['a verification code', text => text.matchAll(/\b(?:cvv2?|cvc2?|card_verification_value|security_code)\W{1,4}\d{3,4}\b/gi), '{"cvc": "737"}'],
    ['an API key', text => text.matchAll(/\bsk_(?:test|live)_[A-Za-z0-9_-]{20,}/g), `sk_live_${'a'.repeat(43)}`],
    ['a webhook secret', text => text.matchAll(/\bwhsec_[A-Za-z0-9+/]{24,}={0,2}/g), `whsec_${'b'.repeat(43)}=`],
    ['a password in a connection string', text => text.matchAll(/\bPassword=(?!\*)[^;\s"']{4,}/gi), 'Host=db;Password=hunter22;'],
    ['a storage key', text => text.matchAll(/\bAccountKey=[A-Za-z0-9+/]{40,}={0,2}/g), `AccountKey=${'c'.repeat(86)}==`],
    ['a secret of this run', function* (text) {
        for (const secret of secrets.filter(secret => secret.length >= 12)) {
            for (let at = text.indexOf(secret); at >= 0; at = text.indexOf(secret, at + 1)) yield { 0: secret, index: at };
        }
    }, secrets.find(secret => secret.length >= 12)],
];

const files = function* (path) {
    for (const name of readdirSync(path)) {
        const file = join(path, name);
        if (statSync(file).isDirectory()) yield* files(file);
        else yield file;
    }
};

// A report names each test, and a test's name holds what it is given: a number that must be refused is no number that was printed.
function printed(file, text) {
    if (!file.endsWith('.json')) return text;
    try {
        return JSON.stringify(JSON.parse(text), (key, value) => ['name', 'suite', 'filePath', 'rawStatus'].includes(key) && typeof value === 'string' ? '' : value);
    } catch {
        return text;
    }
}

let passed = 0, failed = 0;
for (const [what, find, planted] of detectors) {
    const sees = planted !== undefined && [...find(planted)].length === 1;
    if (!sees) console.log(`The detector of ${what} does not find its example.`);
    const found = [];
    for (const file of files(folder)) {
        const text = printed(file, readFileSync(file, 'latin1'));
        for (const match of find(text)) {
            // What was found is not printed again: where it stands is enough, and the ends tell which it is.
            const line = text.slice(0, match.index).split('\n').length;
            found.push(`${relative(folder, file)}:${line}: ${what} (${match[0].slice(0, 6)}...${match[0].slice(-2)}, ${match[0].length} characters)`);
        }
    }
    for (const each of found.slice(0, 20)) console.log(each);
    if (found.length > 20) console.log(`... and ${found.length - 20} more`);
    if (sees && found.length === 0) passed++;
    else failed++;
}
console.log(`${passed} ${failed}`);
