import type { Stage } from '@caloron/noether/stage';

import { dagEvaluate } from './dag/evaluate.ts';
import { dagIsComplete } from './dag/is_complete.ts';
import { dagValidate } from './dag/validate.ts';
import { githubAddLabel } from './github/add_label.ts';
import { githubCreateIssue } from './github/create_issue.ts';
import { githubMergePr } from './github/merge_pr.ts';
import { githubPollChecks } from './github/poll_checks.ts';
import { githubPollEvents } from './github/poll_events.ts';
import { githubPostComment } from './github/post_comment.ts';
import { fetchRepoContext } from './kickoff/fetch_repo_context.ts';
import { generateSprintDag } from './kickoff/generate_dag.ts';
import { analyzeSprintFeedback } from './retro/analyze_feedback.ts';
import { collectSprintFeedback } from './retro/collect_feedback.ts';
import { computeSprintKpis } from './retro/compute_kpis.ts';
import { writeRetroReport } from './retro/write_report.ts';
import { buildTickOutput } from './sprint/build_tick_output.ts';
import { commitSupervision } from './sprint/commit_supervision.ts';
import { commitTick } from './sprint/commit_tick.ts';
import { executeActions } from './sprint/execute_actions.ts';
import { interventionSubjects } from './sprint/intervention_subjects.ts';
import { kickoffOutput } from './sprint/kickoff_output.ts';
import { kickoffRefuse } from './sprint/kickoff_refuse.ts';
import { loadAgents } from './sprint/load_agents.ts';
import { loadKickoff } from './sprint/load_kickoff.ts';
import { loadRetro } from './sprint/load_retro.ts';
import { loadSprint } from './sprint/load_sprint.ts';
import { clockNow } from './sprint/now.ts';
import { readLogEvents } from './sprint/read_log_events.ts';
import { spawnAgent } from './sprint/spawn_agent.ts';
import { storeRetro } from './sprint/store_retro.ts';
import { storeSprint } from './sprint/store_sprint.ts';
import { checkAgentHealth } from './supervisor/check_health.ts';
import { composeInterventionMessage } from './supervisor/compose_message.ts';
import { decideIntervention } from './supervisor/decide_intervention.ts';

/** A stage and the file it is written in, relative to this folder. */
export interface CatalogStage {
  readonly stage: Stage;
  readonly file: string;
}

/** Every stage, in the README's order. */
export const catalog: readonly CatalogStage[] = [
  { stage: dagEvaluate, file: 'dag/evaluate.ts' },
  { stage: dagIsComplete, file: 'dag/is_complete.ts' },
  { stage: dagValidate, file: 'dag/validate.ts' },
  { stage: githubPollEvents, file: 'github/poll_events.ts' },
  { stage: githubPollChecks, file: 'github/poll_checks.ts' },
  { stage: githubCreateIssue, file: 'github/create_issue.ts' },
  { stage: githubPostComment, file: 'github/post_comment.ts' },
  { stage: githubAddLabel, file: 'github/add_label.ts' },
  { stage: githubMergePr, file: 'github/merge_pr.ts' },
  { stage: checkAgentHealth, file: 'supervisor/check_health.ts' },
  { stage: decideIntervention, file: 'supervisor/decide_intervention.ts' },
  { stage: composeInterventionMessage, file: 'supervisor/compose_message.ts' },
  { stage: collectSprintFeedback, file: 'retro/collect_feedback.ts' },
  { stage: computeSprintKpis, file: 'retro/compute_kpis.ts' },
  { stage: analyzeSprintFeedback, file: 'retro/analyze_feedback.ts' },
  { stage: writeRetroReport, file: 'retro/write_report.ts' },
  { stage: fetchRepoContext, file: 'kickoff/fetch_repo_context.ts' },
  { stage: generateSprintDag, file: 'kickoff/generate_dag.ts' },
  { stage: clockNow, file: 'sprint/now.ts' },
  { stage: loadSprint, file: 'sprint/load_sprint.ts' },
  { stage: loadAgents, file: 'sprint/load_agents.ts' },
  { stage: readLogEvents, file: 'sprint/read_log_events.ts' },
  { stage: commitTick, file: 'sprint/commit_tick.ts' },
  { stage: interventionSubjects, file: 'sprint/intervention_subjects.ts' },
  { stage: commitSupervision, file: 'sprint/commit_supervision.ts' },
  { stage: executeActions, file: 'sprint/execute_actions.ts' },
  { stage: spawnAgent, file: 'sprint/spawn_agent.ts' },
  { stage: buildTickOutput, file: 'sprint/build_tick_output.ts' },
  { stage: loadKickoff, file: 'sprint/load_kickoff.ts' },
  { stage: storeSprint, file: 'sprint/store_sprint.ts' },
  { stage: kickoffRefuse, file: 'sprint/kickoff_refuse.ts' },
  { stage: kickoffOutput, file: 'sprint/kickoff_output.ts' },
  { stage: loadRetro, file: 'sprint/load_retro.ts' },
  { stage: storeRetro, file: 'sprint/store_retro.ts' },
];

export { action, actionId } from './sprint/action-id.ts';
