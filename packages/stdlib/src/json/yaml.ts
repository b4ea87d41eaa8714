import type { Json } from '@caloron/noether/stage';
import { type Document, isScalar, parseDocument, stringify, visit } from 'yaml';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage } from '../kit.ts';
import { AnyResult, AnyValue } from '../shape.ts';
import { MAX_DEPTH } from './read.ts';

/** Aliases followed before a document counts as an attack, as in the library's own default. */
const MAX_ALIASES = 100;

/** `yaml_parse`: one YAML 1.2 document of JSON's kinds. Throws STDLIB_YAML_INVALID. */
export const yamlParse = defineStage({
  name: 'yaml_parse',
  description: 'Reads a value from its YAML text.',
  effects: ['Pure'],
  input: z.string(),
  output: AnyResult,
  examples: [
    { input: 'a: 1\nb:\n  - x\n  - yes\n', output: { a: 1, b: ['x', 'yes'] } },
    { input: '', output: null },
    { input: '&n [1, 2]', output: [1, 2] },
  ],
  tags: ['yaml', 'conversion'],
  run: (text) => {
    try {
      // The library compares each key with all others; see requireUniqueKeys.
      const document = parseDocument(text, { schema: 'core', stringKeys: true, uniqueKeys: false });
      const [problem] = document.errors;
      if (problem) throw problem;
      requireUniqueKeys(document);
      return carried(document.toJS({ maxAliasCount: MAX_ALIASES }), 0);
    } catch (cause) {
      if (cause instanceof StdlibError) throw cause;
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new StdlibError('STDLIB_YAML_INVALID', { reason }, { cause });
    }
  },
});

/** Throws STDLIB_YAML_INVALID for a mapping with a key twice. */
function requireUniqueKeys(document: Document): void {
  visit(document, {
    Map(_, { items }) {
      const keys = new Set<unknown>();
      for (const { key } of items) {
        const name = isScalar(key) ? key.value : key;
        if (keys.has(name)) {
          const shown = JSON.stringify(name)?.slice(0, 100);
          throw new StdlibError('STDLIB_YAML_INVALID', { reason: `a mapping has the key ${shown} twice` });
        }
        keys.add(name);
      }
    },
  });
}

/** The value as JSON has it. Throws STDLIB_YAML_INVALID for infinities, for what nests too deeply and what holds itself. */
function carried(value: unknown, depth: number): Json {
  if (depth > MAX_DEPTH)
    throw new StdlibError('STDLIB_YAML_INVALID', { reason: `it nests deeper than ${MAX_DEPTH} levels` });
  if (value === null || value === undefined) return null;
  if (typeof value === 'string' || typeof value === 'boolean') return value;
  if (typeof value === 'number' && Number.isFinite(value)) return value;
  if (Array.isArray(value)) return value.map((item) => carried(item, depth + 1));
  if (typeof value === 'object')
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, carried(item, depth + 1)]));
  throw new StdlibError('STDLIB_YAML_INVALID', { reason: `it holds a ${typeof value} JSON has not` });
}

/** `yaml_write`: keys sorted, so that equal values give equal texts; ends with a line feed. */
export const yamlWrite = defineStage({
  name: 'yaml_write',
  description: 'Gives any value as YAML text.',
  effects: ['Pure'],
  input: AnyValue,
  output: z.string(),
  examples: [
    { input: { b: [1, 'x'], a: 'yes: no' }, output: 'a: "yes: no"\nb:\n  - 1\n  - x\n' },
    { input: null, output: 'null\n' },
    { input: 'true', output: '"true"\n' },
  ],
  tags: ['yaml', 'conversion'],
  run: (value) => stringify(value, { schema: 'core', sortMapEntries: true, aliasDuplicateObjects: false }),
});
