import type { Json } from '../ports.ts';
import type { StageRecord } from '../stage-record.ts';
import { NType } from '../types/ntype.ts';
import { valueMismatch } from '../types/value.ts';
import { propertyProblem, readProperty } from './properties.ts';

/** Why examples of a record do not have its types, refinements at any depth included; each with its place. */
export function exampleProblems(record: Pick<StageRecord, 'signature' | 'examples'>): readonly string[] {
  const sides = [
    ['input', NType.parse(record.signature.input)],
    ['output', NType.parse(record.signature.output)],
  ] as const;
  return record.examples.flatMap((example, i) =>
    sides.flatMap(([side, type]) => {
      const problem = valueMismatch(example[side] as Json, type);
      if (problem === null) return [];
      const at = problem.path === '' ? '' : `.${problem.path}`;
      return [`examples[${i}].${side}${at}: expected ${problem.expected}, got ${problem.actual}`];
    }),
  );
}

/** Why declared properties of a record are malformed, or do not hold of its examples. */
export function propertyProblems(record: Pick<StageRecord, 'properties' | 'examples'>): readonly string[] {
  const { properties = [], examples } = record;
  const read = properties.map((declared) => readProperty(declared));
  const malformed = read.flatMap((declared, i) =>
    declared.known ? [] : declared.issues.map((issue) => `properties[${i}] ${declared.kind}: ${issue}`),
  );
  if (read.length > 0 && examples.length === 0)
    return [...malformed, 'properties are declared, but no example'];
  const broken = read.flatMap((declared, i) => {
    if (!declared.known) return [];
    const { property } = declared;
    return examples.flatMap((example, k) => {
      const why = propertyProblem(property, { input: example.input as Json, output: example.output as Json });
      return why === null
        ? []
        : [`properties[${i}] ${property.kind} does not hold of examples[${k}]: ${why}`];
    });
  });
  return [...malformed, ...broken];
}
