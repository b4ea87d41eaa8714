import type { z } from 'zod';

import type { Json } from '../ports.ts';
import type { CatalogStage } from '../stage/catalog.ts';
import { StageError } from '../stage/errors.ts';
import { fitInput } from '../types/fit-input.ts';
import { typeOfSchema } from '../types/from-schema.ts';
import { childTypes } from '../types/children.ts';
import type { NType } from '../types/ntype.ts';
import { sameType } from '../types/union.ts';
import { brokenRefinement } from '../types/value.ts';
import { takenBy, takenFitted } from './accepts.ts';
import { settle, unsettled } from './settle.ts';

/** Issues named in one error; more would hide the first. */
const MAX_ISSUES = 5;

/** What a stage's input schema makes of a value; its parts stay the same objects where the schema leaves them alone. Throws STAGE_INPUT_INVALID. */
export function takeInput(entry: CatalogStage, path: string, input: Json): unknown {
  const { stage } = entry;
  const invalid = (issues: readonly string[]): StageError =>
    new StageError('STAGE_INPUT_INVALID', { stage: stage.name, path, issues });
  const broken = isRefined(entry, 'input') ? brokenRefinement(input, entry.input) : null;
  if (broken !== null) throw invalid([`input refinement violation ${broken}`]);
  const taken = takenFitted(stage.input, input);
  if (taken !== undefined) return taken;
  const first = stage.input.safeParse(input);
  const parsed = first.success ? first : stage.input.safeParse(fitInput(stage.input, input));
  if (parsed.success) return parsed.data;
  throw invalid(issuesOf(parsed.error));
}

/** A stage's answer as a settled value, once its output schema has seen it. Throws STAGE_OUTPUT_INVALID. */
export function takeOutput(entry: CatalogStage, path: string, answer: unknown): Json {
  const { stage } = entry;
  const invalid = (issues: readonly string[]): StageError =>
    new StageError('STAGE_OUTPUT_INVALID', { stage: stage.name, path, issues });
  const given = settle(answer);
  const output = (given === undefined ? undefined : takenBy(stage.output, given)) ?? parsed();
  const broken = isRefined(entry, 'output') ? brokenRefinement(output, entry.output) : null;
  if (broken !== null) throw invalid([`output refinement violation ${broken}`]);
  return output;

  function parsed(): Json {
    const outcome = stage.output.safeParse(answer);
    if (!outcome.success) throw invalid(issuesOf(outcome.error));
    const value = settle(outcome.data);
    if (value === undefined) throw invalid([`the output holds ${unsettled(outcome.data)}`]);
    return value;
  }
}

interface Refined {
  readonly input: boolean;
  readonly output: boolean;
}

const refined = new WeakMap<CatalogStage, Refined>();

/** Whether a type of a stage says more than the schema it would be derived from: only then its refinements are looked at. */
function isRefined(entry: CatalogStage, side: keyof Refined): boolean {
  const known = refined.get(entry);
  if (known) return known[side];
  const says = (part: keyof Refined): boolean =>
    holdsRefinement(entry[part]) && !isDerived(entry[part], entry.stage[part], part);
  const facts = { input: says('input'), output: says('output') };
  refined.set(entry, facts);
  return facts[side];
}

function holdsRefinement(type: NType): boolean {
  return type.kind === 'Refined' || childTypes(type).some(holdsRefinement);
}

function isDerived(type: NType, schema: z.ZodType, side: keyof Refined): boolean {
  try {
    return sameType(typeOfSchema(schema, '', side), type);
  } catch (error) {
    if (error instanceof StageError) return false;
    throw error;
  }
}

function issuesOf(error: z.ZodError): readonly string[] {
  const issues = error.issues.map(({ path, message }) =>
    path.length === 0 ? message : `${path.map(String).join('.')}: ${message}`,
  );
  return issues.length <= MAX_ISSUES
    ? issues
    : [...issues.slice(0, MAX_ISSUES), `and ${issues.length - MAX_ISSUES} more`];
}
