import type { Stage } from '@caloron/noether/stage';

/** A stage by its name; its code is read when it is loaded. */
export interface ListedStage {
  readonly name: string;
  /** The file it is written in, relative to this folder. */
  readonly file: string;
  readonly load: () => Promise<Stage>;
}

/** Every stage, in the README's order: a run loads those its graph names and no others. */
export const listing: readonly ListedStage[] = [
  {
    name: 'dag_evaluate',
    file: 'dag/evaluate.ts',
    load: async () => (await import('./dag/evaluate.ts')).dagEvaluate,
  },
  {
    name: 'dag_is_complete',
    file: 'dag/is_complete.ts',
    load: async () => (await import('./dag/is_complete.ts')).dagIsComplete,
  },
  {
    name: 'dag_validate',
    file: 'dag/validate.ts',
    load: async () => (await import('./dag/validate.ts')).dagValidate,
  },
  {
    name: 'github_poll_events',
    file: 'github/poll_events.ts',
    load: async () => (await import('./github/poll_events.ts')).githubPollEvents,
  },
  {
    name: 'github_poll_checks',
    file: 'github/poll_checks.ts',
    load: async () => (await import('./github/poll_checks.ts')).githubPollChecks,
  },
  {
    name: 'github_create_issue',
    file: 'github/create_issue.ts',
    load: async () => (await import('./github/create_issue.ts')).githubCreateIssue,
  },
  {
    name: 'github_post_comment',
    file: 'github/post_comment.ts',
    load: async () => (await import('./github/post_comment.ts')).githubPostComment,
  },
  {
    name: 'github_add_label',
    file: 'github/add_label.ts',
    load: async () => (await import('./github/add_label.ts')).githubAddLabel,
  },
  {
    name: 'github_merge_pr',
    file: 'github/merge_pr.ts',
    load: async () => (await import('./github/merge_pr.ts')).githubMergePr,
  },
  {
    name: 'check_agent_health',
    file: 'supervisor/check_health.ts',
    load: async () => (await import('./supervisor/check_health.ts')).checkAgentHealth,
  },
  {
    name: 'decide_intervention',
    file: 'supervisor/decide_intervention.ts',
    load: async () => (await import('./supervisor/decide_intervention.ts')).decideIntervention,
  },
  {
    name: 'compose_intervention_message',
    file: 'supervisor/compose_message.ts',
    load: async () => (await import('./supervisor/compose_message.ts')).composeInterventionMessage,
  },
  {
    name: 'collect_sprint_feedback',
    file: 'retro/collect_feedback.ts',
    load: async () => (await import('./retro/collect_feedback.ts')).collectSprintFeedback,
  },
  {
    name: 'compute_sprint_kpis',
    file: 'retro/compute_kpis.ts',
    load: async () => (await import('./retro/compute_kpis.ts')).computeSprintKpis,
  },
  {
    name: 'analyze_sprint_feedback',
    file: 'retro/analyze_feedback.ts',
    load: async () => (await import('./retro/analyze_feedback.ts')).analyzeSprintFeedback,
  },
  {
    name: 'write_retro_report',
    file: 'retro/write_report.ts',
    load: async () => (await import('./retro/write_report.ts')).writeRetroReport,
  },
  {
    name: 'fetch_repo_context',
    file: 'kickoff/fetch_repo_context.ts',
    load: async () => (await import('./kickoff/fetch_repo_context.ts')).fetchRepoContext,
  },
  {
    name: 'generate_sprint_dag',
    file: 'kickoff/generate_dag.ts',
    load: async () => (await import('./kickoff/generate_dag.ts')).generateSprintDag,
  },
  {
    name: 'clock_now',
    file: 'sprint/now.ts',
    load: async () => (await import('./sprint/now.ts')).clockNow,
  },
  {
    name: 'load_sprint',
    file: 'sprint/load_sprint.ts',
    load: async () => (await import('./sprint/load_sprint.ts')).loadSprint,
  },
  {
    name: 'load_agents',
    file: 'sprint/load_agents.ts',
    load: async () => (await import('./sprint/load_agents.ts')).loadAgents,
  },
  {
    name: 'read_log_events',
    file: 'sprint/read_log_events.ts',
    load: async () => (await import('./sprint/read_log_events.ts')).readLogEvents,
  },
  {
    name: 'commit_tick',
    file: 'sprint/commit_tick.ts',
    load: async () => (await import('./sprint/commit_tick.ts')).commitTick,
  },
  {
    name: 'intervention_subjects',
    file: 'sprint/intervention_subjects.ts',
    load: async () => (await import('./sprint/intervention_subjects.ts')).interventionSubjects,
  },
  {
    name: 'commit_supervision',
    file: 'sprint/commit_supervision.ts',
    load: async () => (await import('./sprint/commit_supervision.ts')).commitSupervision,
  },
  {
    name: 'execute_actions',
    file: 'sprint/execute_actions.ts',
    load: async () => (await import('./sprint/execute_actions.ts')).executeActions,
  },
  {
    name: 'spawn_agent',
    file: 'sprint/spawn_agent.ts',
    load: async () => (await import('./sprint/spawn_agent.ts')).spawnAgent,
  },
  {
    name: 'build_tick_output',
    file: 'sprint/build_tick_output.ts',
    load: async () => (await import('./sprint/build_tick_output.ts')).buildTickOutput,
  },
  {
    name: 'load_kickoff',
    file: 'sprint/load_kickoff.ts',
    load: async () => (await import('./sprint/load_kickoff.ts')).loadKickoff,
  },
  {
    name: 'store_sprint',
    file: 'sprint/store_sprint.ts',
    load: async () => (await import('./sprint/store_sprint.ts')).storeSprint,
  },
  {
    name: 'kickoff_refuse',
    file: 'sprint/kickoff_refuse.ts',
    load: async () => (await import('./sprint/kickoff_refuse.ts')).kickoffRefuse,
  },
  {
    name: 'kickoff_output',
    file: 'sprint/kickoff_output.ts',
    load: async () => (await import('./sprint/kickoff_output.ts')).kickoffOutput,
  },
  {
    name: 'load_retro',
    file: 'sprint/load_retro.ts',
    load: async () => (await import('./sprint/load_retro.ts')).loadRetro,
  },
  {
    name: 'store_retro',
    file: 'sprint/store_retro.ts',
    load: async () => (await import('./sprint/store_retro.ts')).storeRetro,
  },
];
