export { ID_PATTERN, Id, RepoName, Sha, slug, TokenEnv } from './ids.ts';
export { addMs, epochMs, minutesBetween, Timestamp, timestampOf, toTimestamp } from './time.ts';
export { FRAMEWORK_NAMES, frameworkOptions } from './framework-options.ts';
export { TaskClaim } from './claim.ts';
export { Paused } from './pause.ts';
export { entriesOf, ownOf } from './record.ts';
export { shellWord } from './shell-word.ts';
export {
  branchOf,
  Checks,
  DagState,
  Drift,
  markerOf,
  MergeMethod,
  Mode,
  newTask,
  parseMarker,
  Review,
  Role,
  Sprint,
  Status,
  Task,
} from './dag.ts';
export type { TaskStart } from './dag.ts';
export { Cursors, ForgeAway, ListCursor } from './cursors.ts';
export {
  Budget,
  BudgetLimit,
  Capacity,
  HOOK_TIMEOUT_MS,
  Isolation,
  lacksPrice,
  Price,
  SprintPolicy,
  Workspace,
} from './policy.ts';
export { GcItem, GcReply, GcRequest } from './gc.ts';
export { workspaceVariables } from './workspace-variables.ts';
export type { WorkspaceFacts } from './workspace-variables.ts';
export {
  AmountKind,
  Amounts,
  amountsOf,
  amountWords,
  Approval,
  Breach,
  BudgetScope,
  limitsOf,
  overOf,
  OverLimit,
  overWords,
  RunBudget,
  RunSpending,
  SprintBudget,
  TaskBudget,
} from './spending.ts';
export { joinUsage, ModelUsage, Spent, spentOf, sumSpent, totalTokens, Usage } from './usage.ts';
export type { Prices } from './usage.ts';
export { Event, HumanWord, LOG_EVENT_TYPES, Marker } from './event.ts';
export { wordOf } from './words.ts';
export type { EventType } from './event.ts';
export { Action, ActionError, ActionResult, OutboxRow } from './action.ts';
export type { ActionOf, ActionType } from './action.ts';
export {
  AgentInfo,
  Sandboxed,
  AgentsMap,
  Exit,
  Feedback,
  Health,
  ProcessRow,
  ProgressKind,
  Receipt,
  Report,
} from './agent.ts';
export {
  CleanupReply,
  CleanupRequest,
  CredentialReply,
  CredentialRequest,
  ErrorReply,
  HealthReply,
  Heartbeat,
  HeartbeatReply,
  NudgeReply,
  NudgeRequest,
  SpawnReply,
  SpawnRequest,
  StatusReply,
  StopReply,
  StopRequest,
} from './shell-api.ts';
export { EndCause, EndClass, providerOf } from './run-end.ts';
export { HookEnd, Order, OrderWorkspace, Sandbox, StubScript, StubStep } from './order.ts';
export { FeedbackItem, Kpis, Learnings, RetroAnalysis } from './retro.ts';
export {
  ActiveSprint,
  Generator,
  KickoffInput,
  KickoffOutput,
  ProjectConfig,
  RetroInput,
  RetroOutput,
  TickInput,
  TickOutput,
} from './composition-io.ts';
export { DEFAULT_TOKEN_ENVS, frameworkVariables, isCommonVariable } from './environment.ts';
export { keys } from './keys.ts';
export { type Unasked, UNASKED, unaskedOf } from './unasked.ts';
export { apiUrl, cloneUrl, GITHUB_API, hostDir } from './host.ts';
export type {
  ForgeChanges,
  ForgeSkipped,
  ForgeComment,
  ForgeComparison,
  ForgeIssue,
  ForgePull,
  ForgeRepo,
  ForgeRepoInfo,
  ForgeReview,
  ForgeTarget,
  MergeState,
} from './forge-port.ts';
export { isConflict } from './forge-port.ts';
export type {
  ForgeAccount,
  ForgeAsker,
  ForgeBudget,
  ForgeHold,
  ForgeLeave,
  ForgeRequestKind,
  ForgeToldLimit,
} from './forge-budget.ts';
export type {
  CaloronCapabilities,
  CapabilityName,
  Clock,
  Forges,
  KvPlace,
  Ignored,
  KvRead,
  KvWrite,
  Llm,
  LoggedEvent,
  LogRead,
  Outbox,
  Random,
  Reports,
  Shell,
  Shells,
  SprintCommit,
  SprintSnapshot,
  StateCommit,
} from './ports.ts';
export type {
  CommandEnd,
  FileRead,
  FileWrite,
  FolderEntry,
  Http,
  HttpAnswer,
  HttpRequest,
  ProcessHost,
  ProcessName,
  ProcessOrder,
  StageCatalog,
  StageSummary,
  StartedProcess,
  Stdio,
  Timer,
  TraceRead,
  Variables,
} from './host-ports.ts';
