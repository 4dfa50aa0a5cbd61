import { mkdtempSync, readdirSync, readFileSync, realpathSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { publish } from '../support/containers/debs.ts';
import { bootDebian, type Machine, startDocker } from '../support/containers/docker.ts';
import { wholeHost } from '../support/containers/whole-host.ts';
import { debianTar, withSystemd } from '../support/dom0/debian-root.ts';
import { type Leftovers, leftoversTable } from './leftovers.ts';
import { markdown, quantile } from './markdown.ts';

/** A tool that makes a host as described in a file of `test/bench/host`. */
interface Tool {
  readonly name: string;
  readonly version: string;
  readonly apply: string;
  /** What its users have done before: nothing of it is timed. */
  readonly before: string;
}

/** Of Ansible only the collections that the playbook uses: the container is copied for each round. */
const image = {
  packages: `${withSystemd},attr,ansible,python3-apt,python3-click,python3-dateutil,python3-distro,python3-gevent,python3-jinja2,python3-paramiko,python3-setuptools,python3-winrm`,
  options: [
    '--customize-hook=cd "$1/usr/lib/python3/dist-packages/ansible_collections" && find . -mindepth 2 -maxdepth 2 ! -path ./ansible/posix ! -path ./community/general -exec rm -rf {} +',
  ],
};

/** Without the check that a service stays up: the peers do not have it. */
const bofh: Tool = {
  name: 'bofh',
  version: 'echo "bofh $(bofh --version)"',
  apply: 'WATCH=0 bofh --yes host apply host.ts',
  // It keeps its compiled code since the first change, as Debian compiles Python when it installs it.
  before: 'bofh --yes --state-dir /root/first-state host apply first.ts; rm -r /root/first /root/first-state',
};
const watching: Tool = {
  ...bofh,
  name: 'bofh, which watches the service',
  apply: 'bofh --yes host apply host.ts',
};
const ansible: Tool = {
  name: 'Ansible',
  version: "ansible --version | sed -n '1s/.*core \\(.*\\)].*/ansible-core \\1/p'",
  apply: 'ansible-playbook --inventory localhost, --connection local playbook.yml',
  before: `printf '[defaults]\\ninterpreter_python = /usr/bin/python3\\n[connection]\\npipelining = true\\n' >ansible.cfg
ansible all --inventory localhost, --connection local --module-name ping >/dev/null`,
};
const pyinfra: Tool = {
  name: 'pyinfra',
  version: 'pyinfra --version | tr -d :',
  apply: 'pyinfra @local deploy.py',
  before: `cp -r /opt/pyinfra pyinfra; python3 -m compileall -q pyinfra
printf '#!/usr/bin/python3\\nimport sys\\nsys.path.insert(0, "/root/pyinfra")\\nfrom pyinfra_cli.__main__ import execute_pyinfra\\nsys.exit(execute_pyinfra())\\n' >/usr/local/bin/pyinfra
chmod 755 /usr/local/bin/pyinfra; pyinfra @local exec -- true >/dev/null 2>&1`,
};

interface Timed {
  readonly seconds: number;
  /** Of the processors, in user and system mode, with all programs. */
  readonly cpu: number;
}

/** Seconds of one tool in each round. */
interface Times {
  readonly first: Timed[];
  readonly second: Timed[];
}

interface HostMeasured {
  readonly rows: readonly {
    readonly name: string;
    readonly bare: string;
    readonly goal?: number;
    readonly ours: readonly number[];
    readonly theirs: readonly number[];
  }[];
  /** What the page says below the table. */
  readonly notes: readonly string[];
  /** A table of what each tool leaves when resource 25 fails. */
  readonly leftovers: readonly string[];
}

/** The directory that `pip install --no-deps --target DIRECTORY pyinfra` fills. */
const pyinfraAt = process.env['BOFH_BENCH_PYINFRA'];

/**
 * A host of 30 resources, by bofh, Ansible and pyinfra: each time in a new container of Debian 12, by turns.
 * Fails if the tools do not end with the same host.
 */
export async function measureHosts(options: {
  readonly dist: string;
  readonly rounds: number;
  readonly say: (text: string) => void;
}): Promise<HostMeasured> {
  const { dist, rounds, say } = options;
  const at = mkdtempSync('/var/tmp/bofh-bench-');
  const docker = await startDocker(at);
  try {
    const imported = await docker.run('import', await debianTar(image));
    const volumes = [
      `${dist}:/usr/lib/bofh/dist`,
      `${realpathSync(process.execPath)}:/usr/bin/node`,
      ...(pyinfraAt === undefined ? [] : [`${realpathSync(pyinfraAt)}:/opt/pyinfra`]),
    ];
    const boot = async (tool: Tool): Promise<Machine> => {
      const machine = await bootDebian(docker, { image: imported, volumes, network: 'none' });
      await furnish(machine, tool);
      return machine;
    };
    const tools = [bofh, ansible, ...(pyinfraAt === undefined ? [] : [pyinfra])];
    return await measure({ tools, boot, rounds, say });
  } finally {
    await docker.stop();
    rmSync(at, { recursive: true, force: true });
  }
}

async function measure(of: {
  readonly tools: readonly Tool[];
  readonly boot: (tool: Tool) => Promise<Machine>;
  readonly rounds: number;
  readonly say: (text: string) => void;
}): Promise<HostMeasured> {
  const { tools, boot, rounds, say } = of;
  const timedTools = [...tools, watching];
  const leftovers: Leftovers[] = [];
  const versions: string[] = [];
  for (const tool of tools) {
    say(`${tool.name}, which fails`);
    const machine = await boot(tool);
    versions.push((await machine.must(`cd /root; ${tool.version}`)).trim());
    leftovers.push(await failing(machine, tool));
    await machine.remove();
  }
  const times = new Map<Tool, Times>(timedTools.map((tool) => [tool, { first: [], second: [] }]));
  for (let round = 1; round <= rounds; round += 1) {
    const ends = new Set<string>();
    for (const [tool, { first, second }] of times) {
      const machine = await boot(tool);
      first.push(await timed(machine, tool));
      second.push(await timed(machine, tool));
      const took = [first, second].map((all) => all.at(-1)?.seconds.toFixed(1));
      say(`${tool.name}, round ${String(round)}: ${took.join(' s, then ')} s`);
      ends.add(await machine.must(described));
      await machine.remove();
    }
    if (ends.size !== 1) throw new Error(`the tools end with different hosts:\n${[...ends].join('\n\n')}`);
  }
  return {
    rows: rowsOf(times),
    notes: [
      `Versions: ${versions.join(', ')}; Debian 12.${pyinfraAt === undefined ? ' Not measured: pyinfra is not installed.' : ''}`,
      '',
      ...markdown(
        ['CPU of a run with all its programs, s', 'first apply', 'nothing to do'],
        [...times].map(([tool, { first, second }]) => [tool.name, median(first), median(second)]),
      ),
    ],
    leftovers: leftoversTable(leftovers),
  };
}

function rowsOf(times: ReadonlyMap<Tool, Times>): HostMeasured['rows'] {
  const seconds = (tool: Tool, which: keyof Times): readonly number[] =>
    (times.get(tool)?.[which] ?? []).map((each) => each.seconds);
  return [...times.keys()]
    .filter((peer) => peer !== bofh && peer !== watching)
    .flatMap((peer) => [
      {
        ...{ name: '30 resources, first apply', bare: peer.name, goal: 1 },
        ...{ ours: seconds(bofh, 'first'), theirs: seconds(peer, 'first') },
      },
      {
        name: 'the same, and bofh watches for 5 s whether the service stays up (the default)',
        ...{ bare: peer.name, ours: seconds(watching, 'first'), theirs: seconds(peer, 'first') },
      },
      {
        ...{ name: '30 resources, nothing to do', bare: peer.name },
        ...(peer === pyinfra ? { goal: 0.5 } : {}),
        ...{ ours: seconds(bofh, 'second'), theirs: seconds(peer, 'second') },
      },
    ]);
}

function median(all: readonly Timed[]): string {
  return quantile(
    all.map(({ cpu }) => cpu),
    0.5,
  ).toPrecision(2);
}

/** A description that has nothing in common with the other one. */
const first =
  "import { defineHost } from 'bofh';\nexport default defineHost((h) => h.file('/root/first', { content: '' }));\n";

/** Everything that a round has before its first apply. */
async function furnish(machine: Machine, tool: Tool): Promise<void> {
  await machine.must('ln -s /usr/lib/bofh/dist/bofh.cjs /usr/local/bin/bofh');
  await publish(machine, [
    { name: 'shop-tools', version: '1.0', depends: 'shop-common' },
    { name: 'shop-common', version: '1.0' },
    { name: 'shop-data', version: '1.0' },
  ]);
  const from = join(import.meta.dirname, 'host');
  for (const name of readdirSync(from))
    await machine.put(`/root/${name}`, readFileSync(join(from, name), 'utf8'));
  await machine.put('/root/first.ts', first);
  await machine.must(`cd /root; ${tool.before}`);
}

async function timed(machine: Machine, { apply }: Tool): Promise<Timed> {
  const text = await machine.must(
    `cd /root; begun=$(date +%s%N); ${apply} >/tmp/said 2>&1 || { cat /tmp/said; exit 1; }
     echo "took $(($(date +%s%N) - begun))"; times`,
  );
  const times = [.../(\d+)m(\d+\.\d+)s/g[Symbol.matchAll](text.split('\n').at(-2) ?? '')];
  return {
    seconds: Number(/^took (\d+)$/m.exec(text)?.[1]) / 1e9,
    cpu: times.reduce((sum, [, minutes, rest]) => sum + Number(minutes) * 60 + Number(rest), 0),
  };
}

/** Resource 25, the service, fails: its ExecStartPre= wants a number as the port. */
async function failing(machine: Machine, { name, apply }: Tool): Promise<Leftovers> {
  await machine.must("sed -i 's/port=8080/port=none/' /root/host.ts /root/playbook.yml /root/deploy.py");
  const before = await wholeHost(machine);
  const { exitCode, text } = await machine.run(`cd /root; ${apply}`);
  const after = await wholeHost(machine);
  if (exitCode === 0) throw new Error(`${name} did not fail:\n${text}`);
  const [had, has] = [new Set(before), new Set(after)];
  return {
    ...{ tool: name, exitCode },
    more: after.filter((fact) => !had.has(fact)),
    less: before.filter((fact) => !has.has(fact)),
  };
}

const paths = [
  ...['/etc/shop', '/srv/shop', '/usr/local/lib/shop', '/var/lib/shop', '/etc/logrotate.d/shop', '/etc/motd'],
  ...['/etc/systemd/system/shop.service', '/etc/cron.d/shop', '/etc/profile', '/etc/login.defs'],
  ...['/usr/local/bin/shop', '/home'],
].join(' ');
/** What the 30 resources are on the host, as far as the tools may not differ. */
const described = `find ${paths} -printf '%p %y %m %u %g %l\\n' | sort
find ${paths} -type f -print0 | sort -z | xargs -0 sha256sum
grep '^SystemMaxUse' /etc/systemd/journald.conf | tr -d ' '
getent passwd alice bob carol | cut -d: -f1,5-; getent group shop shopkeepers; getent group alice | cut -d: -f1,4
systemctl is-enabled shop; systemctl is-active shop
dpkg-query -W -f '\${Package} \${Status}\\n' 'shop*'`;
