import { program } from '../../../../src/cli/runtime/program.ts';
import type { Bofh } from '../../../../src/connect.ts';
import { openLog } from '../../../../src/cli/runtime/log.ts';
import { openSequences, type Runtime } from '../../../../src/cli/runtime/runtime.ts';
import { type GlobalOptions, settingsOf } from '../../../../src/cli/runtime/settings.ts';
import { plain, plainLook } from '../../../../src/cli/output/style.ts';
import type { Terminal } from '../../../../src/cli/runtime/terminal.ts';

/** A verb's runtime over a simulated host, and what it says. An answer that is a function comes when it is asked for. */
export function testRuntime(
  bofh: Bofh,
  options: GlobalOptions = {},
  answers: readonly (string | (() => string | undefined))[] = [],
) {
  const stdout: string[] = [];
  const stderr: string[] = [];
  const asked = [...answers];
  const terminal: Terminal = {
    interactive: answers.length > 0,
    live: false,
    look: plainLook,
    paint: plain,
    answer: (text) => stdout.push(text),
    line: (text) => stderr.push(text),
    draw: () => undefined,
    ask: async () => {
      const answer = asked.shift() ?? '';
      return typeof answer === 'string' ? answer : answer();
    },
    heard: () => true,
    flush: async () => undefined,
  };
  const settings = settingsOf(options, {});
  const runtime: Runtime<unknown> = {
    terminal,
    log: openLog('silent', terminal),
    settings,
    commandLine: ['bofh', 'test'],
    recorded: ['bofh', 'test'],
    verb: 'test',
    commands: (words) => program(words, () => Promise.resolve()),
    root: true,
    signals: { stop: new AbortController().signal, abandon: new AbortController().signal },
    sequences: openSequences(),
    bofh,
    script: undefined,
  };
  return { runtime, stdout: () => stdout.join(''), stderr: () => stderr.join('\n') };
}
