// Reads Bicep with its tree-sitter grammar into what the checks need: declarations and the names that expressions use.
import { createRequire } from 'node:module';

const require = createRequire(new URL('../../local/package.json', import.meta.url));
const { Parser, Language } = require('web-tree-sitter');
await Parser.init();
const parser = new Parser();
parser.setLanguage(await Language.load(require.resolve('tree-sitter-bicep/tree-sitter-bicep.wasm')));

const line = node => node.startPosition.row + 1;
const named = (node, type) => node.namedChildren.find(child => child.type === type);
const literal = node => node?.type === 'string' && !node.namedChildren.some(child => child.type === 'interpolation')
    ? node.text.startsWith('\'\'\'') ? node.text.slice(3, -3) : node.text.slice(1, -1).replaceAll('\\\'', '\'')
    : undefined;

export function* walk(node) {
    yield node;
    for (const child of node.namedChildren) yield* walk(child);
}

export const ancestors = function* (node) {
    for (let up = node.parent; up; up = up.parent) yield up;
};

export function keyOf(property) {
    const key = property.namedChildren[0];
    return literal(key) ?? key.text;
}

/** The value of an object's property by its path, or undefined. */
export function property(object, ...path) {
    let node = object;
    for (const key of path) {
        const found = node?.type === 'object' && node.namedChildren.find(child => child.type === 'object_property' && child.namedChildCount > 1 && keyOf(child) === key);
        if (!found) return undefined;
        node = found.namedChildren.at(-1);
    }
    return node;
}

export const keys = object => object.namedChildren.filter(child => child.type === 'object_property' && child.namedChildCount > 1).map(keyOf);

/** @returns {{file, text, root, errors, params, vars, resources, modules, outputs}} */
export function parse(file, text) {
    // The grammar has no parameter files; an assignment to a parameter reads like that to a variable.
    const source = file.endsWith('.bicepparam') ? text.replace(/^param(?= \w+ =)/gm, 'var  ') : text;
    const root = parser.parse(source).rootNode;
    const template = { file, text, root, errors: [], params: new Map(), vars: new Map(), resources: new Map(), modules: new Map(), outputs: new Map() };
    for (const node of walk(root)) {
        if (node.type === 'ERROR' || node.isMissing) template.errors.push(`${file}:${line(node)}: not Bicep: ${node.text.slice(0, 40)}`);
        const name = node.namedChildren.find(child => child.type === 'identifier')?.text;
        const body = node.namedChildren.at(-1);
        switch (node.type) {
            case 'parameter_declaration':
                template.params.set(name, { node, required: !node.children.some(child => child.type === '=') && !named(node, 'type')?.text.endsWith('?') });
                break;
            case 'variable_declaration':
                template.vars.set(name, { node, value: body });
                break;
            case 'resource_declaration': {
                const [type, version] = (literal(named(node, 'string')) ?? '').split('@');
                const outer = [...ancestors(node)].find(up => up.type === 'resource_declaration');
                template.resources.set(name, { node, type, version, outer, existing: node.children.some(child => child.type === 'existing'), line: line(node) });
                break;
            }
            case 'module_declaration':
                template.modules.set(name, { node, path: literal(named(node, 'string')), body: [...walk(node)].find(child => child.type === 'object'), line: line(node) });
                break;
            case 'output_declaration':
                template.outputs.set(name, { node });
                break;
        }
    }
    return template;
}

/** The identifiers that stand for something declared elsewhere: not keys, members, declarations, types or functions. */
export function* uses(template) {
    for (const node of walk(template.root)) {
        if (node.type !== 'identifier') continue;
        const parent = node.parent;
        const first = parent.namedChildren[0].id === node.id;
        if (/_declaration$/.test(parent.type) && parent.namedChildren.find(child => child.type === 'identifier').id === node.id) continue;
        if (parent.type === 'object_property' && first && parent.namedChildCount > 1) continue;
        if (parent.type === 'resource_expression' && !first) continue;
        // What is called is a function of Bicep itself: the templates define none.
        if (template.root.text[node.endIndex - template.root.startIndex] === '(') continue;
        if ([...ancestors(node)].some(up => up.type === 'type' || up.type === 'decorator')) continue;
        yield { name: node.text, node, line: line(node) };
    }
}

/** Names that loops and lambdas around a node bring in. */
export function locals(node) {
    const names = new Set();
    for (const up of ancestors(node)) {
        if (up.type === 'for_statement') {
            for (const child of [up.childForFieldName('initializer'), named(up, 'for_loop_parameters')]) {
                for (const part of child?.text.match(/\w+/g) ?? []) names.add(part);
            }
        }
        if (up.type === 'lambda_expression') for (const part of up.text.split('=>')[0].match(/\w+/g) ?? []) names.add(part);
    }
    return names;
}

export { literal };
