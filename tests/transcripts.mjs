// Compares two recordings of the black-box tests, which PAYMENTS_TRANSCRIPTS=FOLDER makes (CONTRIBUTING.md says how).
//
//   node tests/transcripts.mjs compare FOLDER1 FOLDER2 [--lines N] [--ignore FILE]
//
// Prints the tests that differ, with the first N lines of each diff (40 unless told), those that only one recording has, and a last line with the
// counts. Ends with 1 if there is a difference. FILE lists tests that differ between two runs of one build, a line each: class and method, a space,
// the reason. These are named without their diff, and do not count.
import { spawnSync } from 'node:child_process';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

const usage = 'usage: node tests/transcripts.mjs compare FOLDER1 FOLDER2 [--lines N] [--ignore FILE]';

function stop(message) {
  console.error(message);
  process.exit(2);
}

function readArguments() {
  try {
    const { values, positionals } = parseArgs({
      allowPositionals: true,
      options: { lines: { type: 'string', default: '40' }, ignore: { type: 'string' } },
    });
    if (positionals.length !== 3 || positionals[0] !== 'compare' || !/^\d+$/.test(values.lines)) stop(usage);
    return { ...values, folders: positionals.slice(1) };
  } catch (error) {
    return stop(`${error.message}\n${usage}`);
  }
}

// An empty recording equals another empty one, and proves nothing.
function tests(folder) {
  if (!existsSync(folder)) stop(`there is no folder ${folder}`);
  const names = readdirSync(folder, { recursive: true }).filter(name => name.endsWith('.txt')).map(name => name.slice(0, -'.txt'.length));
  if (names.length === 0) stop(`${folder} holds no transcript`);
  return new Set(names.sort());
}

// A line without a reason is a mistake: nobody could tell later whether it may go.
function reasons(file) {
  const names = new Map();
  for (const line of file ? readFileSync(file, 'utf8').split('\n') : []) {
    if (line.trim() === '' || line.startsWith('#')) continue;
    const [name, reason] = line.split(/\s+(.*)/);
    if (!reason) stop(`${file}: '${name}' has no reason`);
    names.set(name, reason);
  }
  return names;
}

function diff(one, two) {
  const { stdout, error } = spawnSync('git', ['diff', '--no-index', '--no-ext-diff', '--no-color', '--text', '--', one, two],
    { encoding: 'utf8', maxBuffer: 1 << 30 });
  if (error) stop(`git diff failed: ${error.message}`);
  return stdout.trimEnd().split('\n').filter(line => !/^(diff --git|index) /.test(line));
}

const { folders: [first, second], lines, ignore } = readArguments();
const [left, right] = [tests(first), tests(second)];
const known = reasons(ignore);
// Class and method, without the transport's folder and the arguments.
const method = name => name.split(/[\\/]/).pop().split('.').slice(0, 2).join('.');
const counts = { equal: 0, differ: 0, ignored: 0, left: 0, right: 0 };
for (const name of [...new Set([...left, ...right])].sort()) {
  if (!right.has(name)) {
    counts.left++;
    console.log(`only in ${first}: ${name}`);
  } else if (!left.has(name)) {
    counts.right++;
    console.log(`only in ${second}: ${name}`);
  } else {
    const [one, two] = [first, second].map(folder => join(folder, `${name}.txt`));
    if (readFileSync(one).equals(readFileSync(two))) {
      counts.equal++;
    } else if (known.has(method(name))) {
      counts.ignored++;
      console.log(`differs, as listed: ${name} (${known.get(method(name))})\n`);
    } else {
      counts.differ++;
      const all = diff(one, two);
      console.log(`differs: ${name}\n${all.slice(0, Number(lines)).join('\n')}`);
      if (all.length > Number(lines)) console.log(`... and ${all.length - Number(lines)} more lines`);
      console.log();
    }
  }
}

const { equal, differ, ignored } = counts;
console.log(`${equal} equal, ${differ} differ, ${ignored} differ as listed, ${counts.left} only in the first, ${counts.right} only in the second`);
process.exitCode = counts.differ + counts.left + counts.right > 0 ? 1 : 0;
