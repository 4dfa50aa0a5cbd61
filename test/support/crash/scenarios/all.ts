import { foreignScenarios } from './foreign.ts';
import { recoveryScenarios } from './recovery.ts';
import { runningScenarios } from './running.ts';
import type { Scenario } from './scenario.ts';

/** Every named scenario of the crash matrix. */
export const scenarios: readonly Scenario[] = [
  ...foreignScenarios,
  ...runningScenarios,
  ...recoveryScenarios,
];
