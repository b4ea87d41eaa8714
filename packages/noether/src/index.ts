export { canonicalJson, contentId, sha256Hex } from './canonical.ts';
export { checkGraph } from './check/check.ts';
export type { CheckOptions } from './check/check.ts';
export { effectWord } from './check/policy.ts';
export { PROBLEM_MEANINGS } from './check/errors.ts';
export type { ProblemCode } from './check/errors.ts';
export type {
  CheckEdge,
  CheckPlan,
  CheckProblem,
  CheckReport,
  CheckStep,
  PlanCost,
  PlanStep,
} from './check/problem.ts';
export { CodedError, codeOf, isRetryable, messageOf } from './errors.ts';
export type { CodedErrorOptions, Messages } from './errors.ts';
export type * from './graph/ast.ts';
export { canonicalise } from './graph/canonicalise.ts';
export { canonicalText, compositionId } from './graph/composition-id.ts';
export { GraphError } from './graph/errors.ts';
export type { GraphErrorDetails, GraphIssue } from './graph/errors.ts';
export { findJsonFault } from './graph/json-position.ts';
export type { JsonFault } from './graph/json-position.ts';
export { mermaidOf } from './graph/mermaid.ts';
export { parseGraph } from './graph/parse.ts';
export { graphJson, nodeJson, printGraph } from './graph/print.ts';
export { walk } from './graph/walk.ts';
export type { Placed } from './graph/walk.ts';
export type * from './ports.ts';
export { takenBy } from './run/accepts.ts';
export type { Moment } from './run/context.ts';
export { runGraph } from './run/run.ts';
export type { RunFailure } from './run/failure.ts';
export type { RunOptions, RunResult } from './run/run.ts';
export { isSettled, settle } from './run/settle.ts';
export { valueHash } from './run/value-hash.ts';
export { noteText, valueText } from './run/value-text.ts';
export type { Lifecycle, StageRecord } from './stage-record.ts';
export { buildCatalog, catalogOf, recordOf } from './stage/catalog.ts';
export type { Catalog, CatalogStage, StageSource } from './stage/catalog.ts';
export type { Stage } from './stage/define-stage.ts';
export { StageError } from './stage/errors.ts';
export type { StageErrorDetails } from './stage/errors.ts';
export { EFFECT_KINDS, effectSet, implementationHash, signatureId, stageId } from './stage/identity.ts';
export type { EffectJson, SignatureFacts } from './stage/identity.ts';
export { originalName } from './stage/original-ids.ts';
export { typeOfSchema } from './types/from-schema.ts';
export { nearest } from './types/nearest.ts';
export { NType } from './types/ntype.ts';
export { show } from './types/show.ts';
export { isSubtype, mismatch } from './types/subtype.ts';
export { valueMismatch } from './types/value.ts';
