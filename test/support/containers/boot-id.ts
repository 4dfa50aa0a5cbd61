import type { Machine } from './docker.ts';

const unit = `[Unit]
DefaultDependencies=no
Before=local-fs.target sysinit.target
[Service]
Type=oneshot
ExecStart=sh -c "cat /proc/sys/kernel/random/uuid >/run/boot-id; mount --bind /run/boot-id /proc/sys/kernel/random/boot_id"
[Install]
WantedBy=sysinit.target
`;

/**
 * A container has the boot ID of its host, and recovery takes journals of an earlier boot: from now on
 * each boot of the container gets an ID of its own.
 */
export async function ownBootId({ must, put }: Pick<Machine, 'must' | 'put'>): Promise<void> {
  await put('/etc/systemd/system/boot-id.service', unit);
  await must('systemctl enable boot-id.service');
}
