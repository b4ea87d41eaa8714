import { z } from 'zod';

import { sha256Hex } from '../canonical.ts';
import { scanJson } from '../graph/json-position.ts';
import { nearest } from '../types/nearest.ts';
import type { Json } from '../ports.ts';
import type { StageRecord } from '../stage-record.ts';
import { jsonFault } from '../types/json-fault.ts';
import { NType } from '../types/ntype.ts';
import { isObject } from '../types/value.ts';
import { StageError } from './errors.ts';
import { exampleProblems, propertyProblems } from './examples.ts';
import { EFFECT_KINDS, type EffectJson, effectSet, signatureId, stageId } from './identity.ts';
import { readTypeSpec } from './shorthand.ts';
import { pythonProblems } from './spec-code.ts';
import { readEffects } from './spec-effects.ts';

/** A stage as a file describes it. */
export interface StageSpec {
  /** `simple`: ids were computed here; `full`: the file had them. */
  readonly form: 'simple' | 'full';
  readonly record: StageRecord;
  /** What the file says that means nothing here. */
  readonly warnings: readonly string[];
}

/** What a spec file may say. */
export interface SpecOptions {
  /** Capabilities a stage may ask for; without them every word is taken. */
  readonly capabilities?: readonly string[];
}

/** What jsonFault has seen already; z.json() takes a stack frame or more per level. */
const Seen = z.custom<Json>((value) => value !== undefined, 'is missing');
const Example = z.strictObject({ input: Seen, output: Seen });
const Cost = z.strictObject({
  time_ms_p50: z.number().min(0).exactOptional(),
  tokens_est: z.number().min(0).exactOptional(),
  memory_mb: z.number().min(0).exactOptional(),
});
const Words = z.array(z.string().min(1));

/** What both forms may say beside name, types and effects. */
const Facts = z.object({
  description: z.string().nullish(),
  examples: z.array(Example).nullish(),
  tags: Words.nullish(),
  aliases: Words.nullish(),
  properties: z.array(z.looseObject({ kind: z.string() })).nullish(),
  capabilities: Words.nullish(),
  cost: Cost.nullish(),
});

const Code = z.union([
  z.string(),
  z.object({ code: z.string(), language: z.string().min(1).default('python') }),
]);
const Simple = Facts.extend({
  name: z.string().min(1),
  implementation: Code,
  language: z.string().min(1).nullish(),
});

const Hex = z.string().regex(/^[0-9a-f]{64}$/u, 'expected 64 lower-case hex digits');
const Full = Facts.extend({
  id: Hex,
  signature_id: Hex.nullish(),
  canonical_id: Hex.nullish(),
  signature: z.object({
    input: NType,
    output: NType,
    effects: z.object({ effects: z.array(z.looseObject({ effect: z.enum(EFFECT_KINDS) })) }),
    implementation_hash: z.string(),
  }),
  name: z.string().nullish(),
  lifecycle: z
    .union([
      z.enum(['Draft', 'Active', 'Tombstone']),
      z.object({ Deprecated: z.object({ successor_id: Hex }) }),
    ])
    .default('Draft'),
  ed25519_signature: z.string().nullish(),
  signer_public_key: z.string().nullish(),
  implementation_code: z.string().nullish(),
  implementation_language: z.string().nullish(),
  archive: z.record(z.string(), z.string()).nullish(),
});

const SIMPLE_KEYS = [...Object.keys(Simple.shape), 'input', 'output', 'effects'];

/**
 * A stage from the text of a spec file, in either of the original's forms: a simple one (name, types, effects, implementation)
 * becomes an unsigned Draft with computed ids; a whole record is taken with the ids it has. Examples must have the declared types
 * and the properties must hold of them. Throws STAGE_SPEC_INVALID with every issue.
 */
export function parseStageSpec(text: string, where: string, options: SpecOptions = {}): StageSpec {
  // A byte order mark is no part of the JSON behind it.
  const json = text.startsWith('\uFEFF') ? text.slice(1) : text;
  const { fault, duplicates } = scanJson(json);
  if (fault !== null)
    throw invalid(where, [`line ${fault.line}, column ${fault.column}: expected ${fault.expected}`]);
  const [twice] = duplicates;
  if (twice !== undefined)
    throw invalid(where, [
      `line ${twice.line}, column ${twice.column}: ${JSON.stringify(twice.key)} is there twice`,
    ]);
  return readStageSpec(JSON.parse(json) as unknown, where, options);
}

/** {@link parseStageSpec} of parsed JSON. */
export function readStageSpec(value: unknown, where: string, options: SpecOptions = {}): StageSpec {
  const fault = jsonFault(value);
  if (fault !== null)
    throw invalid(where, [
      `${fault.path === '' ? '' : `${fault.path}: `}expected ${fault.expected}, got ${fault.actual}`,
    ]);
  if (!isObject(value))
    throw invalid(where, ['expected an object with name and implementation, or a whole stage with id']);
  const spec = Object.hasOwn(value, 'id') ? readFull(value, where) : readSimple(value, where);
  const { record } = spec;
  const issues = [
    ...exampleProblems(record),
    ...propertyProblems(record),
    ...capabilityIssues(record, options.capabilities),
  ];
  if (issues.length > 0) throw invalid(where, issues);
  return record.examples.length > 0
    ? spec
    : { ...spec, warnings: [...spec.warnings, 'it has no example: nothing can be tested'] };
}

function invalid(where: string, issues: readonly string[]): StageError {
  return new StageError(
    'STAGE_SPEC_INVALID',
    { where, issues },
    { hint: 'docs/stages.md shows both forms of a spec file' },
  );
}

type Given = { readonly [key: string]: unknown };

function readSimple(value: Given, where: string): StageSpec {
  const issues: string[] = [];
  const note = (path: string, reason: string): void => void issues.push(`${path}: ${reason}`);
  const parsed = Simple.safeParse(value);
  if (!parsed.success) issues.push(...issuesOf(parsed.error));
  const [input, output] = (['input', 'output'] as const).map((side) => {
    if (Object.hasOwn(value, side)) return readTypeSpec(value[side], note, side);
    note(side, 'is missing');
    return undefined;
  });
  const effects = readEffects(value['effects'], note);
  if (!parsed.success || input === undefined || output === undefined || issues.length > 0)
    throw invalid(where, issues);
  const { name, implementation, language } = parsed.data;
  const code =
    typeof implementation === 'string'
      ? { code: implementation, language: language ?? 'python' }
      : implementation;
  if (code.language === 'python') {
    const problems = pythonProblems(code.code).map((problem) => `implementation: ${problem}`);
    if (problems.length > 0) throw invalid(where, problems);
  }
  const facts = { name, input, output, effects };
  const implementation_hash = sha256Hex(code.code);
  const record: StageRecord = {
    id: stageId(facts, implementation_hash),
    signature_id: signatureId(facts),
    signature: { input, output, effects: { effects }, implementation_hash },
    name,
    ...factsOf(parsed.data, name),
    lifecycle: 'Draft',
    ed25519_signature: null,
    signer_public_key: null,
    implementation_code: code.code,
    implementation_language: code.language,
  };
  return { form: 'simple', record, warnings: unknownKeys(value) };
}

function readFull(value: Given, where: string): StageSpec {
  const parsed = Full.safeParse(value);
  if (!parsed.success) throw invalid(where, issuesOf(parsed.error));
  const { data } = parsed;
  const { signature, id, lifecycle, archive } = data;
  const name = data.name ?? '';
  const effects = effectSet(signature.effects.effects as unknown as readonly EffectJson[]);
  const facts = { name, input: signature.input, output: signature.output, effects };
  const record: StageRecord = {
    id,
    signature_id: data.signature_id ?? data.canonical_id ?? signatureId(facts),
    signature,
    name,
    ...factsOf(data, name),
    lifecycle,
    ed25519_signature: data.ed25519_signature ?? null,
    signer_public_key: data.signer_public_key ?? null,
    ...(typeof data.implementation_code === 'string' && { implementation_code: data.implementation_code }),
    ...(typeof data.implementation_language === 'string' && {
      implementation_language: data.implementation_language,
    }),
    ...(archive && { archive }),
  };
  return { form: 'full', record, warnings: [] };
}

type RecordFacts = Pick<
  StageRecord,
  'capabilities' | 'cost' | 'description' | 'examples' | 'tags' | 'aliases' | 'properties'
>;

function factsOf(given: z.infer<typeof Facts>, name: string): RecordFacts {
  const { description, examples, tags, aliases, properties, capabilities, cost } = given;
  return {
    capabilities: capabilities ?? [],
    cost: cost ?? {},
    description: description ?? name,
    examples: examples ?? [],
    tags: tags ?? [],
    ...(aliases && aliases.length > 0 && { aliases }),
    ...(properties && properties.length > 0 && { properties }),
  };
}

function capabilityIssues(
  { capabilities }: StageRecord,
  known: readonly string[] | undefined,
): readonly string[] {
  if (known === undefined) return [];
  return capabilities
    .filter((word) => !known.includes(word))
    .map((word) => {
      const [close] = nearest(word, known);
      const advice = close === undefined ? `known are ${known.join(', ')}` : `did you mean ${close}?`;
      return `capabilities: ${JSON.stringify(word)} is no capability; ${advice}`;
    });
}

/** Keys that mean nothing here; those that begin with `_` or `$` are comments. */
function unknownKeys(value: Given): readonly string[] {
  return Object.keys(value)
    .filter((key) => !SIMPLE_KEYS.includes(key) && !/^[_$]/u.test(key))
    .map((key) => {
      const [close] = nearest(key, SIMPLE_KEYS);
      return `${key} means nothing in a spec file${close === undefined ? '' : `; did you mean ${close}?`}`;
    });
}

function issuesOf(error: z.ZodError): readonly string[] {
  return error.issues.map((issue) => {
    const { path, message } = issue;
    const text = issue.code === 'invalid_type' ? `expected ${issue.expected}` : message;
    const place = path.map((step) => (typeof step === 'number' ? `[${step}]` : `.${String(step)}`)).join('');
    return place === '' ? text : `${place.replace(/^\./u, '')}: ${text}`;
  });
}
