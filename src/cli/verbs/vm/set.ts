import * as vm from '../../../api/vm.ts';
import type { Bofh } from '../../../connect.ts';
import { UsageError } from '../../../core/errors.ts';
import { checkSet, type SetRequest } from '../../../vm/request.ts';
import { planSet } from '../../../vm/set.ts';
import type { Answer } from '../../output/answer.ts';
import type { VmSet } from '../../output/answers/index.ts';
import { printable } from '../../output/text.ts';
import { change, plan } from '../../runtime/change.ts';
import { type ReadText, verb, wholeNumber } from '../../runtime/verb.ts';

/** The settings, by the key that is typed. */
const settings: Readonly<
  Record<string, { readonly key: keyof SetRequest; readonly read: ReadText<unknown> }>
> = {
  memory: { key: 'memory', read: String },
  maxmem: { key: 'maxmem', read: String },
  vcpus: { key: 'vcpus', read: wholeNumber },
  maxvcpus: { key: 'maxvcpus', read: wholeNumber },
  cpus: { key: 'cpus', read: String },
  'cpu-weight': { key: 'cpuWeight', read: wholeNumber },
  autostart: { key: 'autostart', read: yesOrNo },
};

export default verb({
  changes: true,
  answers: 'vm set',
  args: {
    name: ['<name>', 'name of the guest'],
    settings: [
      '<settings...>',
      'memory=SIZE maxmem=SIZE vcpus=N maxvcpus=N cpus=LIST cpu-weight=N autostart=yes|no',
    ],
  },
  examples: [
    'vm set web1 memory=1g vcpus=2',
    'vm set web1 memory=1g maxmem=4g maxvcpus=8 cpus=2-5',
    'vm set web1 cpu-weight=512',
    'vm set web1 autostart=no',
  ],
  run: (runtime, { name, settings: words }) => {
    const request = settingsIn(words);
    const asked = checkSet(request);
    const look = async (bofh: Bofh) => {
      const { rows } = await planSet({ host: bofh.host, site: bofh.site, name, settings: asked });
      const warnings = rows.flatMap(({ setting, why }) =>
        why === undefined
          ? []
          : [
              `${wordOf(setting)} takes effect at the next start of ${name} (bofh vm restart ${name}): ${why}`,
            ],
      );
      const act = () => vm.set(name, request);
      if (runtime.settings.mode === 'plan') return () => plan(runtime, bofh, act, warnings);
      for (const warning of warnings) runtime.terminal.line(`bofh: ${warning}`);
      return {
        act,
        answer: (made: Awaited<ReturnType<typeof act>>): Answer<VmSet> => {
          const data = answerOf(made);
          return { data, lines: inWords(data) };
        },
      };
    };
    return change(runtime, look, { site: 'used' });
  },
});

function settingsIn(words: readonly string[]): SetRequest {
  const known = Object.keys(settings).join(', ');
  const found = new Map<keyof SetRequest, unknown>();
  for (const word of words) {
    const { name = '', text = '' } = /^(?<name>[^=]+)=(?<text>.+)$/s.exec(word)?.groups ?? {};
    const setting = Object.hasOwn(settings, name) ? settings[name] : undefined;
    if (setting === undefined)
      throw new UsageError(`${word}: must be KEY=VALUE, with one of the keys ${known}`, {
        remedy: 'bofh vm set --help',
      });
    if (found.has(setting.key)) throw new UsageError(`${name} is given twice`);
    found.set(setting.key, setting.read(text, name));
  }
  return Object.fromEntries(found);
}

function yesOrNo(text: string, name: string): boolean {
  if (text === 'yes' || text === 'no') return text === 'yes';
  throw new UsageError(`${name} ${text}: must be yes or no`);
}

function wordOf(key: string): string {
  return Object.entries(settings).find(([, each]) => each.key === key)?.[0] ?? key;
}

function answerOf({ name, config, changed, rows }: Awaited<ReturnType<typeof vm.set>>): VmSet {
  return {
    ...{ name, config, changed },
    settings: rows.map(({ setting, from = null, ...rest }) => ({ setting: wordOf(setting), from, ...rest })),
  };
}

function inWords({ name, changed, settings: rows }: VmSet): readonly string[] {
  return [
    ...(changed ? [] : [`${name} already has these settings: nothing to do`]),
    ...rows.map(({ setting, from, to, why }) => {
      const was = from === null || from === to ? '' : `, was ${valueOf(setting, from)}`;
      const late = why === undefined ? '' : ', from its next start on';
      return `${name}: ${setting} ${valueOf(setting, to)}${was}${late}`;
    }),
  ];
}

function valueOf(setting: string, value: VmSet['settings'][number]['to']): string {
  if (typeof value === 'boolean') return value ? 'yes' : 'no';
  return setting === 'memory' || setting === 'maxmem' ? `${value} MiB` : printable(String(value));
}
