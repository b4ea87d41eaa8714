import { ANY, record, TEXT } from '@caloron/noether/stage';
import { z } from 'zod';

import { StdlibError } from '../errors.ts';
import { defineStage, original } from '../kit.ts';
import { AnyObject, AnyResult, fieldOf } from '../shape.ts';

/**
 * `router`: the route of that name, else the one with the longest name that the route begins with, else the default. Throws
 * STDLIB_ROUTE_UNKNOWN.
 */
export const router = original(
  defineStage({
    name: 'router',
    description: 'Gives what belongs to a route.',
    effects: ['Pure'],
    input: z.object({ default: z.string(), route: z.string(), routes: AnyObject }),
    output: AnyResult,
    examples: [
      {
        input: {
          route: '/home',
          default: '/home',
          routes: { '/home': { tag: 'main' }, '/about': { tag: 'p' } },
        },
        output: { tag: 'main' },
      },
      {
        input: {
          route: '/todos/12',
          default: '/',
          routes: { '/': { tag: 'main' }, '/todos': { tag: 'ul' } },
        },
        output: { tag: 'ul' },
      },
      {
        input: { route: 'x', default: '/home', routes: { '/home': { tag: 'main' } } },
        output: { tag: 'main' },
      },
    ],
    tags: ['control'],
    run: ({ default: fallback, route, routes }) => {
      const prefixes = Object.keys(routes)
        .filter((name) => route.startsWith(name))
        .sort((a, b) => b.length - a.length);
      const found = fieldOf(routes, route) ?? fieldOf(routes, prefixes[0] ?? fallback);
      if (found === undefined) throw new StdlibError('STDLIB_ROUTE_UNKNOWN', { route, fallback });
      return found;
    },
  }),
  { input: record({ default: TEXT, route: TEXT, routes: ANY }), output: { kind: 'VNode' } },
);
