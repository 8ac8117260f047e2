// Holds the templates against themselves and against the code: what a compiler would find, and what it could not.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join, dirname, normalize } from 'node:path';
import { keys, literal, locals, parse, property, uses, walk } from './bicep.mjs';
import * as pinned from './pinned.mjs';

const builtIns = new Set(['az', 'sys']);

/**
 * @param root folder of the repository
 * @param changes files to read otherwise than they are, by path: text => text
 * @returns what is wrong, one sentence each
 */
export function check(root, changes = {}) {
    const problems = [];
    const report = (where, what) => problems.push(`${where}: ${what}`);
    const read = path => (changes[path] ?? (text => text))(readFileSync(join(root, path), 'utf8'));
    const list = (folder, ending) => readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })
        .map(name => join(folder, name).replaceAll('\\', '/'))
        .filter(name => name.endsWith(ending) && !/\/(bin|obj)\//.test(name))
        .sort();

    const templates = new Map(list('infra/bicep', '.bicep').map(path => [path, parse(path, read(path))]));
    const environments = list('infra/bicep/environments', '.bicepparam').map(path => parse(path, read(path)));
    const code = [...list('functions', '.cs'), ...list('domain', '.cs')].map(path => read(path)).join('\n');
    const sample = JSON.parse(read('local.settings.sample.json')).Values;
    const host = JSON.parse(read('host.json'));

    for (const template of [...templates.values(), ...environments]) problems.push(...template.errors);
    for (const template of templates.values()) {
        checkNames(template);
        checkResources(template);
        checkModules(template);
        checkRoles(template);
    }
    environments.forEach(checkEnvironment);
    checkQueues();
    checkFiles();
    checkSettings();
    checkAlerts();
    checkEvidence();
    return problems;

    function checkNames(template) {
        const declared = new Set([...template.params.keys(), ...template.vars.keys(), ...template.resources.keys(), ...template.modules.keys()]);
        const used = new Set();
        for (const { name, node, line } of uses(template)) {
            if (locals(node).has(name)) continue;
            if (declared.has(name)) used.add(name);
            else if (!builtIns.has(name)) report(`${template.file}:${line}`, `'${name}' is not declared`);
        }
        for (const name of [...template.params.keys(), ...template.vars.keys()]) {
            if (!used.has(name)) report(template.file, `'${name}' is never used`);
        }
        for (const node of walk(template.root)) {
            if (node.type !== 'resource_expression') continue;
            const [outer, inner] = node.text.split('::');
            const found = template.resources.get(inner);
            if (!found || [...template.resources].find(([, resource]) => resource.node.id === found.outer?.id)?.[0] !== outer)
                report(template.file, `'${node.text}' is not declared`);
        }
    }

    function fullType(template, resource) {
        if (!resource.outer) return resource.type;
        const outer = [...template.resources.values()].find(other => other.node.id === resource.outer.id);
        return `${fullType(template, outer)}/${resource.type}`;
    }

    function checkResources(template) {
        for (const resource of template.resources.values()) {
            const type = fullType(template, resource);
            const where = `${template.file}:${resource.line}`;
            const pin = pinned.apiVersions[type];
            if (resource.outer && resource.version === undefined) {
                // A nested resource takes the version of the one around it.
                if (!pinned.apiVersions[type.split('/').slice(0, 2).join('/')]) report(where, `no API version is pinned for what '${type}' stands in`);
            } else if (!pin) {
                report(where, `no API version is pinned for '${type}'`);
            } else if (pin !== resource.version) {
                report(where, `'${type}' is pinned to ${pin}, not ${resource.version}`);
            }
            if (resource.existing || resource.node.text.includes('createMode: \'Replica\'')) continue;
            for (const [wanted, words] of pinned.required) {
                if (wanted === type && !resource.node.text.includes(words)) report(where, `'${type}' must say ${words}`);
            }
        }
    }

    function checkModules(template) {
        for (const [name, module] of template.modules) {
            const where = `${template.file}:${module.line}`;
            const target = templates.get(normalize(join(dirname(template.file), module.path)).replaceAll('\\', '/'));
            if (!target) {
                report(where, `there is no ${module.path}`);
                continue;
            }
            const given = property(module.body, 'params');
            const givenNames = given ? keys(given) : [];
            for (const param of givenNames) if (!target.params.has(param)) report(where, `${module.path} has no parameter '${param}'`);
            for (const [param, { required }] of target.params) {
                if (required && !givenNames.includes(param)) report(where, `the parameter '${param}' of ${module.path} is missing`);
            }
            for (const [, output] of template.root.text.matchAll(new RegExp(`\\b${name}\\.outputs\\.(\\w+)`, 'g'))) {
                if (!target.outputs.has(output)) report(template.file, `${module.path} has no output '${output}'`);
            }
        }
    }

    function checkRoles(template) {
        const ids = new Set(Object.values(pinned.roles));
        for (const node of walk(template.root)) {
            const text = literal(node);
            if (!text || !/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(text)) continue;
            const name = node.parent.type === 'variable_declaration' ? node.parent.namedChildren[0].text : undefined;
            if (!ids.has(text)) report(template.file, `${text} is not a pinned role`);
            else if (pinned.roles[name] !== text) report(template.file, `${text} is not the role '${name}'`);
        }
        for (const resource of template.resources.values()) {
            if (resource.type === 'Microsoft.Authorization/roleAssignments' && !property([...walk(resource.node)].find(node => node.type === 'object'), 'scope'))
                report(`${template.file}:${resource.line}`, 'a role is assigned without a scope, so on the whole resource group');
        }
    }

    function checkEnvironment(environment) {
        const main = templates.get('infra/bicep/main.bicep');
        for (const name of environment.vars.keys()) if (!main.params.has(name)) report(environment.file, `main.bicep has no parameter '${name}'`);
        for (const [name, { required }] of main.params) {
            if (required && !environment.vars.has(name)) report(environment.file, `the parameter '${name}' is missing`);
        }
        const value = (name, ...path) => {
            const node = environment.vars.get(name)?.value;
            return (path.length ? property(node, ...path) : node)?.text.replaceAll('\'', '');
        };
        const number = (...path) => Number(value('scale', ...path));
        if (`${value('environmentName')}.bicepparam` !== environment.file.split('/').at(-1)) report(environment.file, 'it says it is another environment');
        const size = value('database', 'skuName');
        const room = (pinned.connections[size] ?? 0) - pinned.reservedConnections;
        const most = number('maximumInstances') * number('poolSize');
        if (!(most <= room)) report(environment.file, `${most} connections of the app do not fit into the ${room} of ${size}`);
        if (value('zoneRedundant') === 'true' && (number('alwaysReadyHttp') < 2 || number('alwaysReadyQueue') === 1))
            report(environment.file, 'an app over several zones needs two instances of what is always ready');
        if (!(number('alwaysReadyHttp') >= 1)) report(environment.file, 'without an instance that is always ready nobody sends what waits in the outbox');
        if (value('zoneRedundant') === 'true' && value('database', 'skuTier') === 'Burstable') report(environment.file, 'a burstable server has no standby');
    }

    function strings(file, variable) {
        const template = templates.get(file);
        return template.vars.get(variable).value.namedChildren.map(node => literal(node) ?? literal(template.vars.get(node.text)?.value));
    }

    function same(where, what, actual, expected) {
        for (const name of new Set(actual.filter((name, i) => actual.indexOf(name) < i))) report(where, `${what} '${name}' stands there twice`);
        for (const name of expected) if (!actual.includes(name)) report(where, `${what} '${name}' is missing`);
        for (const name of actual) if (!expected.includes(name)) report(where, `the code knows no ${what} '${name}'`);
    }

    function checkQueues() {
        const file = 'infra/bicep/modules/servicebus.bicep';
        const queues = [...read('domain/Messaging/QueueNames.cs').matchAll(/const string \w+ = "([^"]+)"/g)].map(match => match[1]);
        same(file, 'queue', strings(file, 'queueNames'), queues);
        const text = templates.get(file).text;
        const deliveries = Number(/maxDeliveryCount: (\d+)/.exec(text)?.[1]);
        if (deliveries !== host.extensions.queues.maxDequeueCount)
            report(file, `messages are delivered ${deliveries} times, but host.json says ${host.extensions.queues.maxDequeueCount} for the other transport`);
        if (!text.includes('requiresDuplicateDetection: true')) report(file, 'the relay counts on duplicate detection');
        if (/requiresSession: true/.test(text)) report(file, 'no function reads sessions');
    }

    function checkFiles() {
        const file = 'infra/bicep/modules/storage.bicep';
        const named = [...code.matchAll(/const string \w*Container = "([^"]+)"/g)].map(match => match[1]);
        same(file, 'container', strings(file, 'containers').filter(name => name !== 'app-package').concat(literal(templates.get(file).vars.get('sealContainer').value)), named);
        // A blob function that no event reaches runs only when its inbox is scanned.
        const events = templates.get('infra/bicep/events.bicep');
        const containers = Object.fromEntries([...code.matchAll(/class (\w+)\((?:(?!\bclass\b)[^])*?InboxContainer = "([^"]+)"/g)].map(match => [match[1], match[2]]));
        const expected = [...code.matchAll(/Function\("(\w+)"\)\][^;]*?BlobTrigger\((\w+)\.InboxContainer [^;]*?BlobTriggerSource\.EventGrid/g)]
            .map(match => `${match[1]} on ${containers[match[2]]}`);
        const actual = events.vars.get('inboxes').value.namedChildren
            .map(inbox => `${literal(property(inbox, 'functionName'))} on ${literal(property(inbox, 'container'))}`);
        same(events.file, 'blob function', actual, expected);
    }

    function checkSettings() {
        const file = 'infra/bicep/modules/functionapp.bicep';
        const template = templates.get(file);
        const set = keys(template.vars.get('settings').value).concat('Secrets__Keys__', 'OTEL_EXPORTER_OTLP_ENDPOINT');
        for (const name of set) if (pinned.forbiddenSettings.test(name)) report(file, `${name} may not be set on Flex Consumption`);

        // What the code reads by its full path; a section stands for all that begins with it.
        const single = new Set([
            ...[...code.matchAll(/onfiguration\["([^"]+)"\]/g)].map(match => match[1]),
            ...[...code.matchAll(/onfiguration\.GetValue(?:<\w+>)?\("([^"]+)"/g)].map(match => match[1]),
            ...[...code.matchAll(/GetConnectionString\("([^"]+)"\)/g)].map(match => `ConnectionStrings:${match[1]}`),
            ...[...code.matchAll(/Trigger\("%([^%]+)%"/g)].map(match => match[1]),
        ]);
        const sections = new Set([...code.matchAll(/onfiguration\.GetSection\("([^"]+)"\)/g)].map(match => match[1]));
        const covers = name => set.some(setting => setting === name || setting.startsWith(`${name}__`));
        for (const path of [...single, ...sections]) {
            if (!covers(path.replaceAll(':', '__')) && !(path in pinned.defaultedSettings)) report(file, `the code reads ${path}, which is not set`);
        }
        const known = name => [...single].some(path => path.replaceAll(':', '__') === name) || [...sections].some(path => name.startsWith(`${path.replaceAll(':', '__')}__`));
        for (const name of set) {
            if (!known(name) && !pinned.platformSettings.includes(name)) report(file, `nothing reads ${name}`);
        }

        const isDisabled = name => /^AzureWebJobs\.(\w+)\.Disabled$/.exec(name)?.[1];
        for (const name of Object.keys(sample)) {
            if (isDisabled(name) || pinned.localSettings.includes(name) || pinned.localSections.some(section => name.startsWith(section))) continue;
            if (!set.some(setting => setting === name || (setting.endsWith('__') && name.startsWith(setting)))) report(file, `local.settings.sample.json sets ${name}, this does not`);
        }
        for (const path of single) {
            if (/Schedule$/.test(path) && !(path.replaceAll(':', '__') in sample)) report('local.settings.sample.json', `the timer's ${path} is missing`);
        }

        // Functions come once for each transport: Azure disables one half, the sample the other.
        const triggered = kind => [...code.matchAll(new RegExp(`Function\\("(\\w+)"\\)\\][^;]*?\\[${kind}Trigger\\(`, 'g'))].map(match => match[1]);
        same(file, 'disabled function', strings(file, 'disabledFunctions'), triggered('Queue'));
        same('local.settings.sample.json', 'disabled function', Object.keys(sample).map(isDisabled).filter(Boolean), triggered('ServiceBus'));
        for (const name of strings(file, 'criticalFunctions')) {
            if (!triggered('ServiceBus').includes(name)) report(file, `'${name}' is no function of a Service Bus queue`);
        }
    }

    function checkAlerts() {
        const file = 'infra/bicep/modules/alerts.bicep';
        const template = templates.get(file);
        const functions = new Set([...code.matchAll(/Function\("(\w+)"\)/g)].map(match => match[1]));
        const runbooks = list('docs/runbooks', '.md');
        const watched = new Set();
        for (const list of ['hostAlerts', 'workerAlerts', 'platformAlerts']) {
            for (const alert of template.vars.get(list).value.namedChildren) {
                const name = literal(property(alert, 'name'));
                const runbook = literal(property(alert, 'runbook'));
                if (!runbooks.includes(runbook)) report(file, `the alert '${name}' names ${runbook}, which is missing`);
                else if (!read(runbook).includes(`\`${name}\``)) report(runbook, `it does not say what the alert '${name}' means`);
                const query = property(alert, 'query')?.text ?? '';
                for (const [, each] of query.matchAll(/\\'(\w+)\\'/g)) {
                    if (!functions.has(each)) report(file, `the alert '${name}' watches '${each}', which is no function`);
                    if (query.startsWith('format(failing')) watched.add(each);
                }
                for (const [, metric] of query.matchAll(/(?:name == '|\\?'(?=payments\.))([a-z_.]+)'/g)) if (!code.includes(`"${metric}"`)) report(file, `the alert '${name}' watches ${metric}, which nothing measures`);
            }
        }

        for (const { content: { title, query } } of JSON.parse(read('infra/bicep/modules/workbook.json')).items) {
            for (const [, metric] of (query ?? '').matchAll(/name == '([^']+)'/g)) if (!code.includes(`"${metric}"`)) report('infra/bicep/modules/workbook.json', `'${title}' shows ${metric}, which nothing measures`);
        }

        // What is measured is explained, and watched or shown.
        const page = read('docs/observability.md');
        const shown = template.text + read('infra/bicep/modules/workbook.json');
        const measured = new Set([...code.matchAll(/\b(?:Gauge|Age|Create\w+(?:<\w+>)?)\(\s*"(payments\.[a-z_.]+)"/g)].map(match => match[1]));
        for (const metric of measured) {
            if (!page.includes(`\`${metric}\``)) report('docs/observability.md', `it does not explain ${metric}`);
            if (!shown.includes(`'${metric}'`)) report(file, `${metric} is measured, and neither an alert nor the workbook looks at it`);
        }
        for (const [, metric] of page.matchAll(/`(payments\.[a-z_.]+)`/g)) if (!measured.has(metric)) report('docs/observability.md', `it explains ${metric}, which nothing measures`);

        // Nobody waits for the answer of these, so nobody would notice.
        for (const [, name, trigger] of code.matchAll(/Function\("(\w+)"\)\][^;]*?\[(Timer|Blob|ServiceBus)Trigger\(/g)) {
            if (!watched.has(name)) report(file, `no alert tells that '${name}' fails (a ${trigger} function)`);
        }
    }

    function checkEvidence() {
        const file = 'docs/security.md';
        const tests = list('tests', '.cs').map(path => read(path)).join('\n');
        for (const [, name] of read(file).matchAll(/`([^`\s]+)`/g)) {
            if (/^[A-Z]\w*_[A-Z]\w*$/.test(name) && !tests.includes(` ${name}(`)) report(file, `there is no test ${name}`);
            if (/^(docs|domain|functions|infra|local|tests)\//.test(name) && !existsSync(join(root, name))) report(file, `there is no ${name}`);
        }
    }
}
