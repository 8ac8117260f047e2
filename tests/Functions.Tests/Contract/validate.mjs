// Holds answers against docs/openapi.yaml. One JSON object a line in: {method, path, status, contentType, body}; one line out: {errors: [...]}.
// usage: node validate.mjs OPENAPI_FILE FOLDER_WITH_NODE_MODULES
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import path from 'node:path';

const [, , document, folder] = process.argv;
const require = createRequire(path.join(path.resolve(folder), 'package.json'));
const Ajv = require('ajv/dist/2020').default;
const addFormats = require('ajv-formats').default;
const { parse } = require('yaml');

const api = parse(readFileSync(document, 'utf8'));
const ajv = new Ajv({ strict: false, allErrors: true });
addFormats(ajv);
ajv.addSchema({ $id: 'openapi', ...api }, 'openapi');

const routes = Object.entries(api.paths).map(([template, item]) => ({
  template,
  item,
  pattern: new RegExp('^' + template.split('/').map((part) => (part.startsWith('{') ? '[^/]+' : part.replace(/[.*+?^$()|[\]\\]/g, '\\$&'))).join('/') + '$'),
}));
// The literal route wins over the one with a parameter in the same place.
routes.sort((a, b) => (a.template.match(/{/g) ?? []).length - (b.template.match(/{/g) ?? []).length);

const compiled = new Map();
function schemaAt(pointer) {
  if (!compiled.has(pointer)) compiled.set(pointer, ajv.compile({ $ref: 'openapi#' + pointer }));
  return compiled.get(pointer);
}
const escape = (key) => encodeURIComponent(key.replaceAll('~', '~0').replaceAll('/', '~1'));

function check({ method, path: requested, status, contentType, body }) {
  const route = routes.find((candidate) => candidate.pattern.test(requested));
  if (!route) return [`no path of the contract matches ${requested}`];
  const operation = route.item[method.toLowerCase()];
  if (!operation) return [`${route.template} has no ${method} in the contract`];
  const key = operation.responses[String(status)] ? String(status) : 'default';
  let response = operation.responses[key];
  if (!response || (key === 'default' && status < 400)) return [`${method} ${route.template} does not state ${status}`];
  let pointer = `/paths/${escape(route.template)}/${method.toLowerCase()}/responses/${key}`;
  if (response.$ref) {
    pointer = response.$ref.slice(1);
    response = pointer.split('/').slice(1).reduce((node, part) => node[part], api);
  }
  if (!response.content) return body === '' ? [] : [`${method} ${route.template} states no body for ${status}`];
  const type = (contentType ?? '').split(';')[0].trim();
  if (!response.content[type]) return [`${method} ${route.template} does not state ${type || 'an answer without a type'} for ${status}`];
  if (!type.endsWith('json')) return [];
  let value;
  try {
    value = JSON.parse(body);
  } catch {
    return ['the body is not JSON'];
  }
  const validate = schemaAt(`${pointer}/content/${escape(type)}/schema`);
  return validate(value) ? [] : validate.errors.map((error) => `${error.instancePath || '/'} ${error.message} ${JSON.stringify(error.params)}`);
}

for await (const line of createInterface({ input: process.stdin })) {
  let errors;
  try {
    errors = check(JSON.parse(line));
  } catch (error) {
    errors = [String(error)];
  }
  process.stdout.write(JSON.stringify({ errors }) + '\n');
}
