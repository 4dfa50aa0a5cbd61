import type { Patch } from './copies.ts';

/** Tests of the project; `title` chooses those whose names have it. */
export interface Tests {
  readonly file: string;
  readonly title?: string;
  readonly needs?: 'strace' | 'root';
  /** BOFH_MATRIX */
  readonly matrix?: 'whole';
}

/** A bug outside the engine, or one that only the kernel shows: a copy of the sources has it, and tests of the project are run on that. */
export interface ProductBug {
  readonly name: string;
  /** Files below `src`. */
  readonly patches: readonly Patch[];
  /** Each of them must see it. */
  readonly seenBy: readonly Tests[];
}

const names: Tests = {
  file: 'test/unit/atomic/real.test.ts',
  title: 'every name is on the disk before anything counts on it',
  needs: 'strace',
};
const orphans: Tests = { file: 'test/unit/atomic/real.test.ts', title: 'a tool that outlived its process' };
const keepers: Tests = {
  file: 'test/unit/atomic/real.test.ts',
  title: 'the process that holds the lock is killed alone',
};
const foreignContent: Tests = { file: 'test/unit/undo/foreign-content.test.ts' };
/** The session of a tool is not written down. */
const noRecord = { file: 'host/shell.ts', old: `"$0 $boot $stat" >"$1"`, now: `"$0 $boot $stat" >/dev/null` };
const undoOfCreateLv: Tests = { file: 'test/unit/simulator/lvremove.test.ts', title: 'the undo of createLv' };
const lvmCommands: Tests = { file: 'test/unit/lvm/commands.test.ts' };

export const productBugs: readonly ProductBug[] = [
  {
    name: 'no directory fsync by the journal',
    patches: [{ file: 'atomic/journal/store.ts', old: '    fsyncSync(fd);', now: '' }],
    seenBy: [names],
  },
  {
    name: 'no directory fsync by the steps',
    patches: [
      { file: 'host/files.ts', old: 'O_NONBLOCK, synced)),', now: 'O_NONBLOCK, (file) => file.stat())),' },
    ],
    seenBy: [names],
  },
  {
    // Either of them is enough: the lock that the shell has, and the record of its session.
    name: 'neither lock nor session of an orphan',
    patches: [
      { file: 'host/change.ts', old: 'step.lock < 0 ? undefined : step.lock', now: 'undefined' },
      noRecord,
    ],
    seenBy: [orphans],
  },
  {
    name: 'lock given up by the shell before its tool ends',
    patches: [
      {
        file: 'host/shell.ts',
        old: 'singleScript = `${trap};',
        now: 'singleScript = `exec 3>&-; ${trap};',
      },
      noRecord,
    ],
    seenBy: [orphans],
  },
  {
    name: 'no record of the session of a tool',
    patches: [noRecord],
    seenBy: [keepers],
  },
  {
    name: 'content of others is not checked before an undo',
    patches: [
      {
        file: 'atomic/undo/act.ts',
        old: "    if (trusted !== 'all')",
        now: "    if (trusted === 'all')",
      },
    ],
    seenBy: [foreignContent],
  },
  {
    name: 'content of others is not checked after the commit',
    patches: [
      {
        file: 'atomic/undo/finish.ts',
        old: '...(await finalWitnesses(engine, journal)), ',
        now: '',
      },
      { file: 'atomic/undo/finish.ts', old: 'import { finalWitnesses } from', now: 'import {} from' },
    ],
    seenBy: [foreignContent],
  },
  {
    name: 'rename instead of link',
    patches: [
      {
        file: 'file/create.ts',
        old: 'await host.link(wanted.private, wanted.path);',
        now: 'await host.rename(wanted.private, wanted.path);',
      },
    ],
    seenBy: [{ file: 'test/unit/file/create.test.ts' }],
  },
  {
    name: 'rename instead of link, and the private name created again',
    patches: [
      {
        file: 'file/create.ts',
        old: 'await host.link(wanted.private, wanted.path);',
        now: 'await host.rename(wanted.private, wanted.path); await host.link(wanted.path, wanted.private);',
      },
    ],
    seenBy: [{ file: 'test/unit/file/create.test.ts' }],
  },
  {
    name: '`--yes` on lvremove',
    patches: [
      {
        file: 'lvm/lv-commands.ts',
        old: "return { ...change('lvremove', argv, lv)",
        now: "return { ...change('lvremove', ['--yes', ...argv], lv)",
      },
    ],
    seenBy: [lvmCommands, undoOfCreateLv],
  },
  {
    name: 'lvremove without its condition on snapshots',
    patches: [
      {
        file: 'lvm/lv-commands.ts',
        old: "const alone = ' && !(lv_role={thickorigin} || lv_role={extorigin})';",
        now: "const alone = '';",
      },
    ],
    seenBy: [lvmCommands, undoOfCreateLv],
  },
];
