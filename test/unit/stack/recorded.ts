import { readFileSync } from 'node:fs';
import type { Answer, FileStat, ReadCommand, ReadHost } from '../../../src/command/index.ts';
import { CommandError, ToolError } from '../../../src/core/errors.ts';
import { type Tree, treeHost } from '../blockdevice/tree-host.ts';

/** A whole host as it was recorded: what its kernel showed, and what each program said. */
interface Recording {
  readonly tree: Tree;
  readonly files: Readonly<Record<string, string>>;
  readonly commands: readonly (Answer & { readonly argv: readonly string[] })[];
}

/** `stack/rig@6.1` of test/fixtures. */
export function recording(name: string): Recording {
  const read = JSON.parse(
    readFileSync(new URL(`../../fixtures/${name}.json`, import.meta.url), 'utf8'),
  ) as Recording;
  return { ...read, commands: read.commands.map(withLaterColumn) };
}

/** That host again. What was not asked there is not installed; those who are not root are denied. */
export function recordedHost(
  { tree, files, commands }: Recording,
  as: { readonly root: boolean } = { root: true },
): ReadHost {
  const host = treeHost(tree);
  const nodes = new Map(Object.entries(files));
  return {
    ...host,
    stat: async (path): Promise<FileStat | undefined> => {
      const device = nodes.get(path);
      const common = { inode: '7', size: 0, mode: 0o644, uid: 0, gid: 0, links: 1 };
      return device === undefined ? host.stat(path) : { ...common, kind: 'file', device };
    },
    run: async <T>(command: ReadCommand<T>): Promise<T> => {
      const { tool, argv } = command;
      const line = [tool, ...argv].join(' ');
      // What each of them says to a user who is none of root's: util-linux 2.38, lvm2 2.03.16.
      if (!as.root) {
        const stderr = `${tool}: cannot open: Permission denied\n`;
        throw new CommandError({ tool, argv, reason: 'denied', exitCode: 1, stderr });
      }
      // It has the kernel forget what it has cached, and says nothing.
      if (tool === 'dd' && argv[0] === 'iflag=nocache')
        return command.parse({ exitCode: 0, stdout: '', stderr: '' });
      // The content of blank devices was not recorded: they are blank.
      if (tool === 'od') {
        const count = argv.find((word) => word.startsWith('--read-bytes='))?.slice('--read-bytes='.length);
        return command.parse({ exitCode: 0, stdout: ' 00'.repeat(Number(count)), stderr: '' });
      }
      const found = commands.find((one) => one.argv.join(' ') === line);
      if (found === undefined) throw new ToolError(`${tool} is not installed there`);
      if (!(command.accepts ?? [0]).includes(found.exitCode))
        throw new CommandError({ ...found, tool, argv, reason: command.classify?.(found) ?? 'unknown' });
      return command.parse(found);
    },
  };
}

const later = 'lv_metadata_size';

/** A recorded report of volumes as it would be with the column that bofh has asked for only since then: these hosts are gone. */
function withLaterColumn<T extends { readonly argv: readonly string[]; readonly stdout: string }>(
  recorded: T,
): T {
  return {
    ...recorded,
    argv: recorded.argv.map((word) => word.replace(/,lv_skip_activation$/, `$&,${later}`)),
    stdout: recorded.stdout.replaceAll(/"lv_skip_activation":"[^"]*"(?=\})/g, `$&, "${later}":""`),
  };
}
