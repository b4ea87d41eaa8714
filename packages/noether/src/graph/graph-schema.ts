import { z } from 'zod';

import { TypeFile } from '../types/type-schema.ts';

/** Longest delay a timer of Node takes, ms. */
const MAX_TIMEOUT_MS = 2_147_483_647;
const U32_MAX = 4_294_967_295;

/** A node inside another; a function, as nodes hold nodes. */
const inner = (): z.ZodType => NodeFile;
const Nodes = z.array(z.lazy(() => NodeFile));
const NodesByName = z.record(
  z.string(),
  z.lazy(() => NodeFile),
);

/** A node of one op; what it has beside its fields is read over. */
function node<T extends z.core.$ZodShape>(
  op: string,
  description: string,
  fields: T,
): z.ZodObject<{ op: z.ZodLiteral<string> }> {
  const timeout_ms = z
    .int()
    .min(1)
    .max(MAX_TIMEOUT_MS)
    .nullish()
    .meta({ description: 'Deadline of one execution of the node, ms' });
  return z.looseObject({ op: z.literal(op).meta({ description }), ...fields, timeout_ms });
}

const wait = z.int().min(0).nullish();
const Codes = z.array(z.string().min(1)).min(1);
const Projection = z.union([
  z.looseObject({
    path: z.string().meta({ description: 'Dotted path into the input; empty is all of it' }),
    value: z.never().optional(),
  }),
  z.looseObject({ value: z.json(), path: z.never().optional() }),
]);

const nodes = (): readonly [
  z.ZodObject<{ op: z.ZodLiteral<string> }>,
  ...z.ZodObject<{ op: z.ZodLiteral<string> }>[],
] => [
  node('Stage', 'Calls a stage', {
    id: z.string().meta({ description: 'Stage id, signature id, hex prefix or name' }),
    pinning: z.enum(['signature', 'both']).default('signature'),
    config: z
      .record(z.string(), z.json())
      .nullish()
      .meta({ description: 'Laid over the input of the stage' }),
  }),
  node('RemoteStage', 'Calls a stage of another process by HTTP', {
    url: z.string(),
    input: TypeFile,
    output: TypeFile,
    auth: z.string().min(1).nullish().meta({ description: 'Alias of the credential that is sent' }),
  }),
  node('Const', 'Gives a value whatever its input', { value: z.json() }),
  node('Sequential', 'Runs nodes one after another, each on the output of the one before', { stages: Nodes }),
  node('Parallel', 'Runs branches at once, each on the input’s field of its name, else on all of it', {
    branches: NodesByName,
  }),
  node('Branch', 'Runs one of two nodes on the input', {
    predicate: inner(),
    if_true: inner(),
    if_false: inner(),
  }),
  node('Fanout', 'Hands the source’s output to every target', { source: inner(), targets: Nodes }),
  node('Merge', 'Joins the sources’ outputs as source_0, source_1, … for the target', {
    sources: Nodes,
    target: inner(),
  }),
  node('Retry', 'Runs a node again while it fails', {
    stage: inner(),
    max_attempts: z.int().min(0).max(U32_MAX).meta({ description: 'Executions in all' }),
    delay_ms: wait.meta({ description: 'Wait before the second attempt, ms' }),
    backoff: z.number().min(1).nullish().meta({ description: 'Factor each further wait grows by' }),
    max_delay_ms: wait.meta({ description: 'Longest wait, ms' }),
    retry_on: z.union([z.literal('retryable'), Codes]).nullish(),
  }),
  node('Let', 'Binds names to outputs over the input, and runs the body on both', {
    bindings: NodesByName,
    body: inner(),
  }),
  node('Map', 'Runs a node per item of a list', {
    over: z.string().meta({ description: 'Dotted path to the list in the input' }),
    as: z.string().meta({ description: 'The field the node sees the item in' }),
    stage: inner(),
    concurrency: z.int().min(1).max(64).nullable().default(1),
    on_error: z.enum(['fail', 'collect']).default('fail'),
  }),
  node('Project', 'Makes a record out of paths into the input and literals', {
    fields: z.record(z.string(), Projection),
  }),
];

const NodeFile: z.ZodType = z
  .lazy(() => z.discriminatedUnion('op', nodes()))
  .meta({ id: 'Node', description: 'A node of the graph; docs/compositions.md describes every op' });

const words = z.array(z.string()).nullish();

/**
 * A composition file as a schema that editors are given; {@link parseGraph} is what reads one. A test holds the two
 * against each other.
 */
export const GraphFile = z.looseObject({
  $schema: z.string().optional(),
  description: z.string().meta({ description: 'What the graph does, in a sentence' }),
  version: z.string(),
  policy: z
    .strictObject({
      effects: words,
      capabilities: words,
      hosts: words.meta({ description: 'Hosts remote stages and literal addresses may have' }),
      auth: words.meta({ description: 'Names of variables a token may come from' }),
    })
    .nullish()
    .meta({ description: 'What the graph may do; an absent list allows everything, an empty one nothing' }),
  lease: z
    .looseObject({
      name: z.string().meta({ description: '{field} comes from the top-level fields of the input' }),
      ttl_ms: z.int().min(1000).max(U32_MAX).nullish(),
      renew_ms: z.int().min(1).max(U32_MAX).nullish().meta({ description: 'Less than ttl_ms' }),
    })
    .nullish()
    .meta({ description: 'The lease a run of the graph holds' }),
  root: inner(),
});
