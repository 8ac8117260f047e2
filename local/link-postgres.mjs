// Makes the symbolic links that the packaged Postgres lists in native/pg-symlinks.json (npm packages cannot carry links),
// and lets its programs be run. Doing it again changes nothing.
import { chmodSync, existsSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';

const packages = process.argv[2];
for (const name of readdirSync(packages)) {
    const home = join(packages, name);
    const list = join(home, 'native', 'pg-symlinks.json');
    for (const { source, target } of existsSync(list) ? JSON.parse(readFileSync(list, 'utf8')) : []) {
        const link = join(home, target);
        rmSync(link, { force: true });
        symlinkSync(relative(dirname(target), source), link);
    }
    for (const program of readdirSync(join(home, 'native', 'bin')))
        chmodSync(join(home, 'native', 'bin', program), 0o755);
}
