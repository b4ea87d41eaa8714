import { FeedbackItem, RetroAnalysis } from '@caloron/types';
import type { Feedback } from '@caloron/types';
import { z } from 'zod';

import { defineStage } from '../kit.ts';
import { fixedHalfEven } from '../rounding.ts';
import { exampleFeedback } from './example.ts';

/** Clarity below this is low; 0 is unknown and neither low nor high. */
const LOW_CLARITY = 5;
/** Times the mean of tokens from which a task stands out. */
const TOKEN_FACTOR = 2;
/** Share of failed tasks above which a sprint went badly. */
const BAD_SHARE = 0.3;
/** Completion rate from which tasks were cut to a good size. */
const HEALTHY_RATE = 0.8;

/** Whole words: "independent" is no dependency, "dagger" no DAG. */
const DEPENDENCY = /\b(?:depend(?:s|ed|ing|ent|ency|encies)?|dag)\b/i;
const TOOL = /\btools?\b/i;
const LACKING = /\b(?:missing|lacking|not (?:available|configured|installed|found))\b/i;
const UNAVAILABLE = /\bunavailable\b/i;

function isToolGap(blocker: string): boolean {
  return UNAVAILABLE.test(blocker) || (TOOL.test(blocker) && LACKING.test(blocker));
}

/** The figures of a sprint that the rules look at, as far as they are known. */
interface Figures {
  readonly total_tasks?: number | undefined;
  readonly completed_tasks?: number | undefined;
  readonly completion_rate?: number | undefined;
  readonly avg_interventions?: number | undefined;
}

/** What the rules see in the feedback. */
interface Findings {
  readonly all: readonly Feedback[];
  readonly unclear: number;
  readonly blockers: readonly string[];
  readonly failed: number;
  readonly costly: number;
  readonly mean_tokens: number;
}

function find(items: readonly FeedbackItem[]): Findings {
  const all = items.map((item) => item.feedback);
  const tokens = all.map((one) => one.tokens_consumed).filter((count) => count > 0);
  const mean_tokens = tokens.length === 0 ? 0 : tokens.reduce((sum, count) => sum + count, 0) / tokens.length;
  return {
    all,
    unclear: all.filter((one) => one.task_clarity > 0 && one.task_clarity < LOW_CLARITY).length,
    blockers: all.flatMap((one) => one.blockers),
    failed: all.filter((one) => one.self_assessment === 'failed' || one.self_assessment === 'crashed').length,
    costly: tokens.filter((count) => count > TOKEN_FACTOR * mean_tokens).length,
    mean_tokens,
  };
}

function themesOf({ all, unclear, blockers, failed, costly, mean_tokens }: Findings): string[] {
  const themes = [
    ...(unclear > 0 ? [`${unclear} tasks had low clarity scores (< ${LOW_CLARITY}/10)`] : []),
    ...(blockers.length > 0 ? [`${blockers.length} blockers reported across ${all.length} tasks`] : []),
    ...(failed > 0 ? [`${failed} tasks failed or crashed out of ${all.length}`] : []),
    ...(costly > 0
      ? [`${costly} tasks used significantly more tokens than average (${fixedHalfEven(mean_tokens, 0)})`]
      : []),
  ];
  return themes.length > 0 ? themes : ['Sprint completed without notable issues'];
}

function improvementsOf({ unclear, blockers, failed }: Findings): string[] {
  const dependencies = blockers.filter((text) => DEPENDENCY.test(text)).length;
  const tools = blockers.filter(isToolGap).length;
  const improvements = [
    ...(unclear > 0
      ? ['Add more detail to task specifications — include expected inputs/outputs and acceptance criteria']
      : []),
    ...(dependencies > 0 ? [`Add missing DAG dependencies — ${dependencies} runtime deps discovered`] : []),
    ...(tools > 0 ? [`Add missing tools to agent definitions — ${tools} tool gaps found`] : []),
    ...(failed > 0 ? ['Investigate failed tasks — consider stronger models or clearer specifications'] : []),
  ];
  return improvements.length > 0 ? improvements : ['No specific improvements identified'];
}

function learningsOf({ all }: Findings, kpis: Figures): string[] {
  const learnings = [
    ...((kpis.completion_rate ?? 0) >= HEALTHY_RATE
      ? ['Sprint had a healthy completion rate — task scoping was appropriate']
      : []),
    ...((kpis.avg_interventions ?? 0) > 1
      ? ['High intervention rate — agents may need better prompts or more context']
      : []),
    // Tasks that were given up have no feedback.
    ...(kpis.completed_tasks === kpis.total_tasks && all.every((one) => one.self_assessment === 'completed')
      ? ['All tasks completed successfully — ready to increase sprint scope']
      : []),
  ];
  return learnings.length > 0 ? learnings : ['Continue with current approach'];
}

function sentimentOf({ all, failed, unclear }: Findings): RetroAnalysis['sentiment'] {
  if (failed > BAD_SHARE * all.length) return 'negative';
  return failed > 0 || unclear > 0 ? 'mixed' : 'positive';
}

/** Finds by rule what the agents' feedback says. */
export const analyzeSprintFeedback = defineStage({
  name: 'analyze_sprint_feedback',
  description: 'Finds themes, improvements and learnings in the feedback of a sprint, by rule.',
  effects: ['Pure'],
  input: z.object({
    feedback_items: z.array(FeedbackItem).nullish(),
    kpis: z
      .object({
        total_tasks: z.number().optional(),
        completed_tasks: z.number().optional(),
        completion_rate: z.number().optional(),
        avg_interventions: z.number().optional(),
      })
      .nullish(),
  }),
  output: RetroAnalysis,
  examples: [
    {
      input: {
        feedback_items: [exampleFeedback],
        kpis: { completion_rate: 1, avg_interventions: 0 },
      },
      output: {
        themes: ['1 tasks had low clarity scores (< 5/10)', '1 blockers reported across 1 tasks'],
        improvements: [
          'Add more detail to task specifications — include expected inputs/outputs and acceptance criteria',
          'Add missing DAG dependencies — 1 runtime deps discovered',
        ],
        learnings: [
          'Sprint had a healthy completion rate — task scoping was appropriate',
          'All tasks completed successfully — ready to increase sprint scope',
        ],
        sentiment: 'mixed',
      },
    },
    {
      input: {
        feedback_items: [
          {
            ...exampleFeedback,
            feedback: {
              ...exampleFeedback.feedback,
              task_clarity: 0,
              blockers: [],
              self_assessment: 'crashed',
            },
          },
        ],
        kpis: { completion_rate: 0, avg_interventions: 2 },
      },
      output: {
        themes: ['1 tasks failed or crashed out of 1'],
        improvements: ['Investigate failed tasks — consider stronger models or clearer specifications'],
        learnings: ['High intervention rate — agents may need better prompts or more context'],
        sentiment: 'negative',
      },
    },
    {
      input: { feedback_items: [] },
      output: {
        themes: ['No agent feedback was collected during this sprint'],
        improvements: ['Ensure agents post caloron_feedback comments on task completion'],
        learnings: [],
        sentiment: 'neutral',
      },
    },
  ],
  run: ({ feedback_items, kpis }): RetroAnalysis => {
    const found = find(feedback_items ?? []);
    if (found.all.length === 0) {
      return {
        themes: ['No agent feedback was collected during this sprint'],
        improvements: ['Ensure agents post caloron_feedback comments on task completion'],
        learnings: [],
        sentiment: 'neutral',
      };
    }
    return {
      themes: themesOf(found),
      improvements: improvementsOf(found),
      learnings: learningsOf(found, kpis ?? {}),
      sentiment: sentimentOf(found),
    };
  },
});
