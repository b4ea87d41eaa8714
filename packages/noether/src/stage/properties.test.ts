import { describe, expect, it } from 'vitest';

import type { Json } from '../ports.ts';
import { propertyProblems } from './examples.ts';
import { propertyProblem, readProperty } from './properties.ts';

const example = {
  input: { text: 'ab€😀', list: [1, { a: 2 }], n: 5, object: { a: 1 }, none: null, yes: true },
  output: { text: 'b€', list: [{ a: 2 }], n: 5, object: { a: 1, b: 2 }, deep: { n: 2.5 } },
};

/** Whether a property holds of the example. */
function holds(declared: object): boolean {
  const read = readProperty(declared);
  if (!read.known) throw new TypeError(read.issues.join());
  return propertyProblem(read.property, example) === null;
}

describe('a property', () => {
  it.each<[object, boolean]>([
    [{ kind: 'set_member', field: 'output.list', set: [1, [{ a: 2 }]] }, true],
    [{ kind: 'set_member', field: 'output.n', set: ['5'] }, false],
    [{ kind: 'range', field: 'output.n', min: 5, max: 5 }, true],
    [{ kind: 'range', field: 'output.n', min: 5.1 }, false],
    [{ kind: 'range', field: 'output.n', max: 4.9 }, false],
    [{ kind: 'range', field: 'output.n' }, true],
    [{ kind: 'range', field: 'output.text', min: 0 }, false],
    [{ kind: 'range', field: 'output.deep.n', min: 2, max: 3 }, true],
    [{ kind: 'field_length_eq', left_field: 'input.list', right_field: 'output.text' }, true],
    [{ kind: 'field_length_eq', left_field: 'input.text', right_field: 'output.text' }, false],
    [{ kind: 'field_length_eq', left_field: 'input.n', right_field: 'output.n' }, false],
    [{ kind: 'field_length_max', subject_field: 'output.text', bound_field: 'input.text' }, true],
    [{ kind: 'field_length_max', subject_field: 'input.text', bound_field: 'output.object' }, false],
    [{ kind: 'subset_of', subject_field: 'output.list', super_field: 'input.list' }, true],
    [{ kind: 'subset_of', subject_field: 'input.list', super_field: 'output.list' }, false],
    [{ kind: 'subset_of', subject_field: 'output.text', super_field: 'input.text' }, true],
    [{ kind: 'subset_of', subject_field: 'input.object', super_field: 'output.object' }, true],
    [{ kind: 'subset_of', subject_field: 'output.object', super_field: 'input.object' }, false],
    [{ kind: 'subset_of', subject_field: 'output.text', super_field: 'input.list' }, false],
    [{ kind: 'equals', left_field: 'input.n', right_field: 'output.n' }, true],
    [{ kind: 'equals', left_field: 'input', right_field: 'output' }, false],
    [{ kind: 'field_type_in', field: 'input.none', allowed: ['null'] }, true],
    [{ kind: 'field_type_in', field: 'input.yes', allowed: ['bool', 'number'] }, true],
    [{ kind: 'field_type_in', field: 'input.list', allowed: ['object'] }, false],
    [{ kind: 'equals', left_field: 'input.nowhere', right_field: 'input.none' }, false],
    [{ kind: 'equals', left_field: 'input.list.0', right_field: 'input.n' }, false],
    [{ kind: 'field_type_in', field: 'input.constructor', allowed: ['object'] }, false],
  ])('%j holds: %s', (declared, expected) => {
    expect(holds(declared)).toBe(expected);
  });

  it('of an unknown kind is kept and never fails; of a known kind it has to be whole', () => {
    const examples = [example as { input: Json; output: Json }];

    expect(propertyProblems({ properties: [{ kind: 'monotone', of: 3 }], examples })).toEqual([]);
    expect(propertyProblems({ properties: [{ kind: 'range' }], examples })).toEqual([
      expect.stringMatching(/^properties\[0\] range: field/),
    ]);
    expect(propertyProblems({ properties: ['range'], examples })).toEqual([
      'properties[0] : a property is an object with a kind',
    ]);
  });

  it('that does not hold names the example and why', () => {
    expect(
      propertyProblems({
        properties: [{ kind: 'range', field: 'output', max: 2 }],
        examples: [
          { input: 0, output: 1 },
          { input: 0, output: 3 },
        ],
      }),
    ).toEqual(['properties[0] range does not hold of examples[1]: output is 3, above 2']);
  });

  it('needs an example', () => {
    expect(propertyProblems({ properties: [{ kind: 'x' }], examples: [] })).toEqual([
      'properties are declared, but no example',
    ]);
  });
});
