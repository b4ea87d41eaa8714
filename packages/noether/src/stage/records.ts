export { contentId } from '../canonical.ts';
export { exampleProblems, propertyProblems } from './examples.ts';
export {
  activateStage,
  buryStage,
  deprecateStage,
  findRecord,
  lifecycleWord,
  putStage,
} from './lifecycle.ts';
export type { LifecycleChange, Seal } from './lifecycle.ts';
export { entryWithoutCode, hasCode, noCode } from './no-code.ts';
export { originalHash, originalStages } from './original-ids.ts';
export { fieldHashes, recordHash, sealRecord, signRecord, unsealed } from './seal.ts';
export { isSignedBy, ORIGINAL_PUBLIC_KEY, publicKeyText, signingKey } from './signing.ts';
export type { SigningKey } from './signing.ts';
export { nearDuplicates, searchRecords } from './similarity.ts';
export { jsonFault } from '../types/json-fault.ts';
export type { SimilarStage } from './similarity.ts';
export { parseStageSpec, readStageSpec } from './spec.ts';
export type { SpecOptions, StageSpec } from './spec.ts';
export { distrustOf, recordFaults } from './verify.ts';
export type { Distrust, RecordFault } from './verify.ts';
