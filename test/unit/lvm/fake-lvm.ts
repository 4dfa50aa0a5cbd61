import type { Answer, ChangeHost, Command } from '../../../src/command/index.ts';
import { CommandError } from '../../../src/core/errors.ts';
import { quiet, treeHost } from '../blockdevice/tree-host.ts';

export interface FakeLv {
  uuid: string;
  vg: string;
  name: string;
  tags: string[];
  extents: number;
  /** `unknown`: there is no device-mapper to ask. */
  active: boolean | 'unknown';
  auto: boolean;
  open?: boolean;
  /** `/dev/dm-0` when it is not said. */
  dmPath?: string;
  origin?: string;
  role?: string;
  /** Columns of lvs, as it writes them. */
  columns?: Readonly<Record<string, string>>;
}

const extent = 4 * 1024 ** 2;

/** A uuid of the form that lvm writes. */
export const lvmUuid = (n: number): string => `${String(n).padStart(6, '0')}-aaaa-bbbb-cccc-dddd-eeee-ffffff`;

/** lvm's commands as the operations call them, over a list of volumes in one group; no device-mapper beneath. */
export class FakeLvm {
  readonly vg = {
    uuid: lvmUuid(900),
    name: 'vg0',
    extents: 100,
    exported: false,
    present: true,
    partial: false,
  };
  lvs: FakeLv[] = [];
  ran: string[] = [];
  boot = 'boot-1';
  /** Called before a change: throw to fail before it, or change the world. */
  before: (line: string) => void = () => undefined;
  readonly synced: string[] = [];
  #made = 0;

  add(lv: Partial<FakeLv> & { readonly name: string }): FakeLv {
    this.#made += 1;
    const uuid = lvmUuid(this.#made);
    const one = { uuid, vg: this.vg.uuid, tags: [], extents: 1, active: false, auto: true, ...lv };
    this.lvs.push(one);
    return one;
  }

  names(): readonly string[] {
    return this.lvs.map(({ name }) => name).sort();
  }

  host(tree: Readonly<Record<string, string>> = {}): ChangeHost {
    const none = (): never => {
      throw new Error('not for lvm');
    };
    return {
      ...treeHost({ ...quiet, ...tree, '/run/udev/control': '' }),
      facts: async () => ({ boot: this.boot, hostname: 'test' }),
      run: async (command) => this.#run(command),
      sync: async (path) => {
        this.synced.push(path);
      },
      pipe: none,
      writeNew: none,
      link: none,
      rename: none,
      removeFile: none,
      makeDir: none,
      removeDir: none,
    };
  }

  #run<T>(command: Command<T>): T {
    const line = [command.tool, ...command.argv].join(' ');
    if (command.access !== 'read') {
      this.before(line);
      this.ran.push(line);
    }
    const answer = this.#answer(command.tool, command.argv);
    if (answer.exitCode === 0) return command.parse(answer);
    const reason = command.classify?.(answer) ?? 'unknown';
    throw new CommandError({ tool: command.tool, argv: command.argv, reason, ...answer });
  }

  #answer(tool: string, argv: readonly string[]): Answer {
    const value = (option: string): string => argv[argv.indexOf(option) + 1] ?? '';
    if (tool === 'lvs')
      return this.#report('lv', value('--options'), this.vg.exported ? [] : this.lvs.map(this.#lv));
    if (tool === 'vgs') return this.#report('vg', value('--options'), this.vg.present ? [this.#group()] : []);
    if (tool === 'find') return { ...done, stdout: '/proc/1/ns/mnt 4 4026531841 8124 0:0\n' };
    if (tool === 'lvm') return this.#fullReport();
    if (tool === 'pvs') return this.#report('pv', value('--options'), [this.#physical()]);
    if (tool === 'lvcreate') return this.#create(argv, value);
    if (tool === 'lvrename') return this.#rename(argv);
    const lv = this.lvs.find(({ name }) => `vg0/${name}` === argv.at(-1));
    if (lv === undefined) return fail('Failed to find logical volume');
    if (!this.#selected(lv, value('--select'))) return done;
    return tool === 'lvremove' ? this.#remove(lv) : this.#change(lv, argv, value);
  }

  #selected(lv: FakeLv, select: string): boolean {
    if (!select.includes(`lv_uuid=${lv.uuid}`)) return false;
    const tag = /lv_tags=\{(?<tag>[^}]+)\}/.exec(select)?.groups?.tag;
    if (tag !== undefined && !lv.tags.includes(tag)) return false;
    return !(select.includes('!(lv_role={thickorigin}') && this.#snapshots(lv).length > 0);
  }

  #snapshots(lv: FakeLv): readonly FakeLv[] {
    return this.lvs.filter(({ origin }) => origin === lv.uuid);
  }

  #create(argv: readonly string[], value: (option: string) => string): Answer {
    const name = value('--name');
    if (this.names().includes(name))
      return fail(`Logical Volume "${name}" already exists in volume group "vg0"`);
    const tags = argv.filter((_, index) => argv[index - 1] === '--addtag');
    this.add({ name, tags, extents: Number(value('--extents')), active: true });
    return done;
  }

  #rename(argv: readonly string[]): Answer {
    const [from = '', to = ''] = argv.slice(-2);
    const lv = this.lvs.find(({ name }) => name === from);
    if (lv === undefined || this.names().includes(to)) return fail('already exists');
    lv.name = to;
    return done;
  }

  #remove(lv: FakeLv): Answer {
    if (lv.active === true) return fail('Do you really want to remove active logical volume? [y/n]: [n]');
    // As lvm 2.03.16 does with an inactive origin.
    this.lvs = this.lvs.filter((one) => one !== lv && one.origin !== lv.uuid);
    return done;
  }

  #change(lv: FakeLv, argv: readonly string[], value: (option: string) => string): Answer {
    if (argv.includes('--setautoactivation')) lv.auto = value('--setautoactivation') === 'y';
    else if (value('--activate') === 'n' && lv.open === true)
      return fail(`Logical volume vg0/${lv.name} in use.`);
    else lv.active = value('--activate') === 'y';
    return done;
  }

  #report(item: string, columns: string, rows: readonly Record<string, string>[]): Answer {
    const kept = rows.map((row) =>
      Object.fromEntries(columns.split(',').map((key) => [key, row[key] ?? ''])),
    );
    return { exitCode: 0, stdout: JSON.stringify({ report: [{ [item]: kept }] }), stderr: '' };
  }

  // Exported or not: its volumes are in it.
  #fullReport(): Answer {
    const groups = this.vg.present ? [this.#group()] : [];
    const others = [...new Set(this.lvs.map(({ vg }) => vg))].filter((vg) => vg !== this.vg.uuid);
    const all = [...groups, ...others.map((uuid) => ({ ...this.#group(), vg_uuid: uuid }))];
    const report = all.map((group) => ({
      vg: [group],
      lv: this.lvs.filter(({ vg }) => vg === group.vg_uuid).map(this.#lv),
    }));
    return { ...done, stdout: JSON.stringify({ report }) };
  }

  readonly #lv = (lv: FakeLv): Record<string, string> => ({
    lv_uuid: lv.uuid,
    vg_uuid: lv.vg,
    vg_name: 'vg0',
    lv_name: lv.name,
    lv_full_name: `vg0/${lv.name}`,
    lv_path: `/dev/vg0/${lv.name}`,
    lv_dm_path: lv.dmPath ?? '/dev/dm-0',
    lv_size: String(lv.extents * extent),
    lv_tags: lv.tags.join(','),
    lv_active: lv.active === 'unknown' ? 'unknown' : lv.active ? 'active' : '',
    lv_device_open: lv.active === true ? (lv.open === true ? 'open' : '') : 'unknown',
    lv_autoactivation: lv.auto ? 'enabled' : '',
    lv_layout: 'linear',
    lv_role: lv.role ?? (this.#snapshots(lv).length > 0 ? 'public,origin,thickorigin' : 'public'),
    origin: this.lvs.find(({ uuid }) => uuid === lv.origin)?.name ?? '',
    origin_uuid: lv.origin ?? '',
    pool_lv: '',
    pool_lv_uuid: '',
    data_percent: '',
    metadata_percent: '',
    copy_percent: '',
    lv_health_status: '',
    lv_merging: '',
    lv_skip_activation: '',
    lv_metadata_size: '',
    ...lv.columns,
  });

  #group() {
    const used = this.lvs.reduce((sum, { extents }) => sum + extents, 0);
    return {
      vg_uuid: this.vg.uuid,
      vg_name: this.vg.name,
      vg_size: String(this.vg.extents * extent),
      vg_free: String((this.vg.extents - used) * extent),
      vg_extent_size: String(extent),
      vg_extent_count: String(this.vg.extents),
      vg_free_count: String(this.vg.extents - used),
      vg_permissions: 'writeable',
      vg_exported: this.vg.exported ? 'exported' : '',
      vg_partial: this.vg.partial ? 'partial' : '',
      vg_seqno: '1',
      vg_tags: '',
    };
  }

  #physical(): Record<string, string> {
    const size = String(this.vg.extents * extent);
    const sizes = { dev_size: size, pv_size: size, pv_free: '0', pv_allocatable: 'allocatable' };
    return { pv_uuid: lvmUuid(800), pv_name: '/dev/vdb', vg_uuid: this.vg.uuid, vg_name: 'vg0', ...sizes };
  }
}

const done: Answer = { exitCode: 0, stdout: '', stderr: '' };

function fail(stderr: string): Answer {
  return { exitCode: 5, stdout: '', stderr: `  ${stderr}\n` };
}
