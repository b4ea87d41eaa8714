import fc from 'fast-check';
import { describe, expect, it } from 'vitest';

import { sha256Hex } from '../canonical.ts';
import { MAX_NESTING } from '../types/json-fault.ts';
import { signatureId, stageId } from './identity.ts';
import { originalStages } from './original-ids.ts';
import { recordFaults } from './verify.ts';
import { parseStageSpec, readStageSpec } from './spec.ts';

const CODE = 'def execute(value):\n    return value\n';
const simple = (changes: object = {}): object => ({
  name: 'same',
  input: 'Text',
  output: 'Text',
  implementation: CODE,
  examples: [{ input: 'a', output: 'a' }],
  ...changes,
});
const issuesOf = (value: unknown, options = {}): readonly string[] => {
  try {
    readStageSpec(value, 'spec.json', options);
    return [];
  } catch (error) {
    expect(error).toMatchObject({ code: 'STAGE_SPEC_INVALID', details: { where: 'spec.json' } });
    return (error as { details: { issues: readonly string[] } }).details.issues;
  }
};

describe('a simple spec file', () => {
  it('becomes an unsigned Draft with the ids of its facts', () => {
    const { record, form, warnings } = readStageSpec(simple(), 'spec.json');
    const facts = {
      name: 'same',
      input: { kind: 'Text' },
      output: { kind: 'Text' },
      effects: [{ effect: 'Pure' }],
    } as const;

    expect({ form, warnings }).toEqual({ form: 'simple', warnings: [] });
    expect(record).toMatchObject({
      id: stageId(facts, sha256Hex(CODE)),
      signature_id: signatureId(facts),
      description: 'same',
      lifecycle: 'Draft',
      ed25519_signature: null,
      signer_public_key: null,
      implementation_code: CODE,
      implementation_language: 'python',
    });
    expect(recordFaults(record)).toEqual([]);
  });

  it.each([
    [{ implementation: { code: 'x', language: 'javascript' } }, 'javascript'],
    [{ implementation: 'x', language: 'bash' }, 'bash'],
    [{ implementation: { code: CODE } }, 'python'],
  ])('holds code of any language: %j', (changes, language) => {
    expect(readStageSpec(simple(changes), 's').record.implementation_language).toBe(language);
  });

  it('says what it has, all of it', () => {
    const facts = {
      description: 'Gives it back.',
      tags: ['a'],
      aliases: ['copy'],
      capabilities: ['Network'],
      cost: { time_ms_p50: 3 },
      properties: [{ kind: 'equals', left_field: 'input', right_field: 'output' }],
    };

    expect(readStageSpec(simple(facts), 's').record).toMatchObject(facts);
  });

  it.each([
    [['Pure'], [{ effect: 'Pure' }]],
    [[], [{ effect: 'Pure' }]],
    [
      ['network', 'Fallible', 'non-deterministic', 'Network'],
      [{ effect: 'Fallible' }, { effect: 'Network' }, { effect: 'NonDeterministic' }],
    ],
    [
      ['Llm', 'cost'],
      [
        { effect: 'Cost', cents: 0 },
        { effect: 'Llm', model: 'unknown' },
      ],
    ],
    [
      [
        { effect: 'FsRead', path: '/x' },
        { effect: 'Cost', cents: 3 },
      ],
      [
        { effect: 'Cost', cents: 3 },
        { effect: 'FsRead', path: '/x' },
      ],
    ],
  ])('declares effects %j', (effects, expected) => {
    expect(readStageSpec(simple({ effects }), 's').record.signature.effects.effects).toEqual(expected);
  });

  it.each([
    [{ effects: ['Netwrok'] }, 'effects[0]: "Netwrok" is no effect; did you mean Network?'],
    [{ effects: ['FsRead'] }, /effects\[0\]: FsRead needs path/],
    [{ effects: [{ effect: 'Cost', cents: -1 }] }, /effects\[0\]: Cost needs cents/],
    [{ effects: 'Pure' }, 'effects: expected a list of effects'],
    [{ effects: [3] }, /effects\[0\]: this is no effect/],
    [{ input: 'Txt' }, /^input: "Txt" is no type; .*did you mean Text\?/],
    [{ output: { Lst: 'Text' } }, /output: expected one of the keys.*did you mean List\?/],
    [{ examples: [{ input: 'a' }] }, /examples\[0\]\.output/],
    [{ examples: [{ input: 1, output: 'a' }] }, 'examples[0].input: expected Text, got 1'],
    [{ properties: [{ kind: 'range', field: 'nowhere' }] }, /properties\[0\] range: field: expected a path/],
    [
      { properties: [{ kind: 'range', field: 'output', max: 3 }] },
      /properties\[0\] range does not hold of examples\[0\]/,
    ],
    [
      { properties: [{ kind: 'equals', left_field: 'input', right_field: 'output' }], examples: [] },
      'properties are declared, but no example',
    ],
    [{ cost: { tokens: 3 } }, /cost/],
    [{ name: '' }, /name/],
    [{ implementation: 'def run(v):\n    return v' }, /implementation: expected a function/],
    [{ implementation: `${CODE}if __name__ == "__main__":\n    execute(1)` }, /__main__/],
    [{ implementation: `import sys\nx = sys.stdin.read()\n${CODE}` }, /sys\.stdin/],
    [{ implementation: `x = input("?")\n${CODE}` }, /input\(\)/],
    [{ implementation: `if True:\n    def execute(v):\n        return v\n` }, /expected a function/],
  ])('with %j is refused', (changes, issue) => {
    expect(issuesOf(simple(changes))).toContainEqual(
      typeof issue === 'string' ? issue : expect.stringMatching(issue),
    );
  });

  it.each([
    'async def execute(value):\n    return value\n',
    'import sys\n\ndef execute(input):\n    # if __name__ == "__main__"\n    line = sys.stdin\n    return parse_input(input)\n',
    'x = 1  # sys.stdin\ndef execute (v):\n    return input(v)\n',
  ])('may hold Python like %j', (implementation) => {
    expect(issuesOf(simple({ implementation }))).toEqual([]);
  });

  it('names a capability that is none where they are known', () => {
    expect(issuesOf(simple({ capabilities: ['Netwerk'] }), { capabilities: ['Network'] })).toEqual([
      'capabilities: "Netwerk" is no capability; did you mean Network?',
    ]);
  });

  it('drops nothing silently', () => {
    const { warnings } = readStageSpec(simple({ desciption: 'x', _comment: 'x', examples: [] }), 's');

    expect(warnings).toEqual([
      'desciption means nothing in a spec file; did you mean description?',
      'it has no example: nothing can be tested',
    ]);
  });
});

describe('types of a spec file', () => {
  const typeOf = (input: unknown): unknown =>
    readStageSpec(simple({ input, examples: [] }), 's').record.signature.input;
  const TEXT = { kind: 'Text' };

  it.each([
    [{ List: 'Text' }, { kind: 'List', value: TEXT }],
    [{ Stream: { List: 'Any' } }, { kind: 'Stream', value: { kind: 'List', value: { kind: 'Any' } } }],
    [{ Map: ['Text', 'Number'] }, { kind: 'Map', value: { key: TEXT, value: { kind: 'Number' } } }],
    [
      {
        Record: [
          ['b', 'Text'],
          ['a', 'Bool'],
        ],
      },
      { kind: 'Record', value: { b: TEXT, a: { kind: 'Bool' } } },
    ],
    [{ Union: ['Text', 'Null'] }, { kind: 'Union', value: [TEXT, { kind: 'Null' }] }],
    [
      { kind: 'List', value: TEXT },
      { kind: 'List', value: TEXT },
    ],
    [
      { kind: 'List', value: 'Text' },
      { kind: 'List', value: TEXT },
    ],
    [
      { kind: 'Var', value: 'Text' },
      { kind: 'Var', value: 'Text' },
    ],
    [
      { kind: 'RecordWith', value: { fields: { a: { List: 'Text' } }, rest: 'R' } },
      { kind: 'RecordWith', value: { fields: { a: { kind: 'List', value: TEXT } }, rest: 'R' } },
    ],
    [
      { kind: 'Refined', value: { base: 'Text', refinement: { kind: 'NonEmpty' } } },
      { kind: 'Refined', value: { base: TEXT, refinement: { kind: 'NonEmpty' } } },
    ],
    [
      { kind: 'Record', value: {} },
      { kind: 'Record', value: {} },
    ],
  ])('%j is read', (spec, type) => {
    expect(typeOf(spec)).toEqual(type);
  });

  it.each([
    [{ Record: { a: 'Text' } }, /^input\.Record: expected a list of \[field, type\] pairs/],
    [
      {
        Record: [
          ['a', 'Text'],
          ['a', 'Bool'],
        ],
      },
      /there twice/,
    ],
    [{ Record: [['a']] }, /^input\.Record\[0\]/],
    [{ Map: ['Text'] }, /^input\.Map: expected \[key type, value type\]/],
    [{ Union: 'Text' }, /^input\.Union: expected a list/],
    [{ List: 'Text', Map: [] }, /got List, Map/],
    [{ kind: 'Lst', value: 'Text' }, /^input/],
    [{ kind: 3 }, /kind that is text/],
    [{ List: { Record: [['a', 'Txet']] } }, /^input\.List\.Record\[0\]\[1\]: "Txet"/],
    [{}, /got none/],
    [null, /expected a type/],
  ])('%j is refused with its place', (input, issue) => {
    expect(issuesOf(simple({ input, examples: [] }))).toContainEqual(expect.stringMatching(issue));
  });

  it('deeper than any type are refused, not followed', () => {
    let deep: unknown = 'Text';
    for (let i = 0; i < 200; i += 1) deep = { List: deep };

    expect(issuesOf(simple({ input: deep, examples: [] }))[0]).toMatch(/at most 64 deep/);
  });

  it('keep fields of any name', () => {
    const input = {
      Record: [
        ['__proto__', 'Text'],
        ['constructor', 'Bool'],
        ['7', 'Null'],
      ],
    };

    expect(Object.keys(typeOf(input) as { value: object } as never)).toContain('value');
    expect(Object.keys((typeOf(input) as { value: object }).value).toSorted()).toEqual([
      '7',
      '__proto__',
      'constructor',
    ]);
  });
});

describe('a whole stage', () => {
  const whole = (): Record<string, unknown> =>
    JSON.parse(JSON.stringify(readStageSpec(simple(), 's').record)) as Record<string, unknown>;

  it('is taken with the ids it has', () => {
    const { record, form } = readStageSpec(whole(), 's');

    expect(form).toBe('full');
    expect(record).toEqual(whole());
  });

  it('may have its signature id under its old name, or none', () => {
    const { signature_id, ...rest } = whole();

    expect(readStageSpec({ ...rest, canonical_id: signature_id }, 's').record.signature_id).toBe(
      signature_id,
    );
    expect(readStageSpec(rest, 's').record.signature_id).toBe(signature_id);
  });

  it('without a name is hashed as the empty one', () => {
    const { name: _name, ...rest } = whole();
    const { record } = readStageSpec(rest, 's');

    expect(record.name).toBe('');
    expect(recordFaults(record).map(({ field }) => field)).toEqual(['signature_id', 'id']);
  });

  it.each([
    [{ id: 'short' }, /^id: /],
    [{ signature: null }, /^signature: /],
    [
      {
        signature: {
          input: { kind: 'X' },
          output: { kind: 'Any' },
          effects: { effects: [] },
          implementation_hash: '',
        },
      },
      /^signature\.input/,
    ],
    [
      {
        signature: {
          input: { kind: 'Any' },
          output: { kind: 'Any' },
          effects: { effects: [{ effect: 'Net' }] },
          implementation_hash: '',
        },
      },
      /^signature\.effects\.effects\[0\]/,
    ],
    [{ lifecycle: 'Retired' }, /^lifecycle/],
  ])('with %j is refused', (changes, issue) => {
    expect(issuesOf({ ...whole(), ...changes })).toContainEqual(expect.stringMatching(issue));
  });
});

describe('text', () => {
  it('that is no JSON is refused with line and column', () => {
    expect(() => parseStageSpec('{\n  "name": }', 'spec.json')).toThrow('line 2, column 11');
  });

  it('that says a thing twice is refused, and so is what is deeper than any stage', () => {
    expect(() => parseStageSpec('{"name":"a","name":"b"}', 's')).toThrow(
      'line 1, column 13: "name" is there twice',
    );
    const deep = `{"examples":${'['.repeat(100_000)}${']'.repeat(100_000)}}`;
    expect(() => parseStageSpec(deep, 's')).toThrow(/at most \d+ levels/);
  });

  it('as deep as JSON may be is read', () => {
    const levels = MAX_NESTING - 10;
    const deep = `${'['.repeat(levels)}${']'.repeat(levels)}`;
    const spec = simple({ input: 'Any', output: 'Any', examples: [{ input: 'DEEP', output: 1 }] });
    const { record } = parseStageSpec(JSON.stringify(spec).replace('"DEEP"', deep), 's');

    expect(recordFaults(record)).toEqual([]);
  });

  it.each(['null', '3', '[]', '"x"', '{}'])('%s is no stage', (text) => {
    expect(() => parseStageSpec(text, 's')).toThrow(expect.objectContaining({ code: 'STAGE_SPEC_INVALID' }));
  });

  it('of any JSON is a stage or refused, never a crash', () => {
    const keys = fc.constantFrom(
      'name',
      'id',
      'input',
      'output',
      'effects',
      'implementation',
      'examples',
      'signature',
      'properties',
      '__proto__',
    );
    fc.assert(
      fc.property(fc.dictionary(keys, fc.jsonValue()), (value) => {
        try {
          readStageSpec(value, 's');
        } catch (error) {
          expect(error).toMatchObject({ code: 'STAGE_SPEC_INVALID' });
        }
      }),
      { numRuns: 300 },
    );
  });
});

it("a spec of an original's stage has the original's signature id", () => {
  const to_text = originalStages.find(({ name }) => name === 'to_text');
  const { record } = readStageSpec(simple({ name: 'to_text', input: 'Any', examples: [] }), 's');

  expect(record.signature_id).toBe(to_text?.signature_id);
});
