import type { Access, Fault, FaultMode } from '../../../../src/simulator/index.ts';
import type { Struck, Trouble } from './program.ts';

/** What a program, an access to a file and a write to the journal can suffer of it: undefined where it makes no sense. */
const onFiles: Readonly<Record<string, FaultMode>> = {
  'fails before': 'fails before',
  'acts then fails': 'acts then fails',
  'acts then killed': 'acts then fails',
  'no space': 'no space',
};

/** Lets trouble strike: for `decide` of the host's faults. Tells of each fault that was met. */
export function strike(
  trouble: Trouble,
  on: {
    readonly fired: (what: string) => void;
    readonly signal: () => void;
    /** Called before anything else, as another process; `n` counts all changes and writes. */
    readonly meanwhile?: (n: number) => void;
  },
): (access: Access) => Fault | undefined {
  const counts = { change: 0, question: 0, journal: 0, all: 0 };
  return (access) => {
    const kind = kindOf(access);
    if (kind === undefined) return undefined;
    counts[kind] += 1;
    if (kind !== 'question') {
      counts.all += 1;
      on.meanwhile?.(counts.all);
      const { end } = trouble;
      if (end?.how === 'SIGKILL' && end.at === counts.all) {
        on.fired('SIGKILL');
        return { mode: 'crash here' };
      }
      if (end !== null && end.how !== 'SIGKILL') {
        const isNow = end.at === counts.all || (end.how === 'two signals' && end.at + 2 === counts.all);
        if (isNow) on.signal();
        if (end.at === counts.all) on.fired(end.how);
      }
    }
    const hit = trouble.faults.find((each) => meets(each, kind, counts[kind], access));
    const mode = hit === undefined ? undefined : modeOf(hit, access);
    if (hit === undefined || mode === undefined) return undefined;
    on.fired(`${kind === 'change' ? (access.tool === 'file' ? 'file' : 'program') : kind}: ${hit.mode}`);
    return { mode };
  };
}

function kindOf({ tool, access }: Access): Struck['on'] | undefined {
  if (tool === 'store') return 'journal';
  if (access === 'change') return 'change';
  return tool === 'file' ? undefined : 'question';
}

function meets(struck: Struck, kind: Struck['on'], n: number, access: Access): boolean {
  if (struck.on !== kind) return false;
  if (struck.on === 'journal' && struck.mode.startsWith('no space') && access.argv[0] !== 'write')
    return false;
  return struck.mode === 'no space from here on' ? n >= struck.at : n === struck.at;
}

function modeOf({ mode }: Struck, { tool, argv }: Access): FaultMode | undefined {
  if (mode === 'no space from here on') return 'no space';
  if (tool === 'file') return onFiles[mode];
  // A disk that says "synced" and lies is beyond anybody's promise.
  const isSync = tool === 'sync' || argv.includes('--flushbufs');
  return isSync && mode === 'no effect, exit 0' ? 'fails before' : mode;
}
