export { stageKit } from './define-stage.ts';
export type { CallingContext, Stage, StageCalls, StageDefinition, StageReference } from './define-stage.ts';
export type { Effect, EffectList, Impure, StageContext } from './effects.ts';
export { canonicalJson, contentId, sha256Hex } from '../canonical.ts';
export { CodedError, codeOf, isRetryable, messageOf } from '../errors.ts';
export type { CodedErrorOptions, Messages } from '../errors.ts';
export type { Json } from '../ports.ts';
export type { NType } from '../types/ntype.ts';
