// The nodes of the cluster, from `/ring?format=json`, whose members are those of `/memberlist`.

import { Notice } from '../app/parts';
import { plural, showBytes, showCount } from '../base/number';
import { safeLink } from '../base/link';

export interface Member {
  name: string;
  me: boolean;
  state: string;
  status: string;
  zone: string;
  roles: string[];
  api: string;
  gossip: string;
  ownedPercent: number;
  firstPercent: number;
  tokenCount: number;
  liveBytes: number | null;
  spansPerSecond: number | null;
}

export interface ClusterPage {
  enabled: boolean;
  me: string;
  label: string;
  notes: string[];
  fingerprint: string;
  replication: number;
  zoneAware: boolean;
  ringChanges: number;
  members: Member[];
}

export function Cluster({ page }: { page: ClusterPage | null }) {
  if (!page?.enabled) {
    return (
      <section>
        <h2>Cluster</h2>
        <p class="faint">This server is alone: there is no ring and there are no members.</p>
      </section>
    );
  }
  return (
    <section class="scroll-x">
      <h2>
        Ring and members{' '}
        <span class="faint">
          {page.label} · {plural(page.replication, 'copy', 'copies')}
          {page.zoneAware ? ', by zone' : ''} · ring {page.fingerprint}
        </span>
      </h2>
      {page.notes.map((note) => (
        <Notice key={note} kind="warning">
          {note}
        </Notice>
      ))}
      <table>
        <thead>
          <tr>
            {['Node', 'Place', 'Answers', 'Zone', 'Roles', 'Address'].map((label) => (
              <th key={label} scope="col">
                {label}
              </th>
            ))}
            {['Tokens', 'Owns', 'First of', 'Live', 'Spans/s'].map((label) => (
              <th key={label} scope="col" class="num">
                {label}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {page.members.map((member) => (
            <Row key={member.name} member={member} />
          ))}
        </tbody>
      </table>
    </section>
  );
}

function Row({ member }: { member: Member }) {
  const link = safeLink(member.api.includes('://') ? member.api : `http://${member.api}`);
  return (
    <tr>
      <td>
        <b>{member.name}</b> {member.me && <span class="faint">this one</span>}
      </td>
      <td>{member.state}</td>
      <td class={member.status === 'up' ? '' : 'bad'}>{member.status}</td>
      <td>{member.zone}</td>
      <td>{member.roles.join(', ')}</td>
      <td>
        {link ? (
          <a href={link} rel="noopener noreferrer">
            {member.api}
          </a>
        ) : (
          member.api
        )}
      </td>
      <td class="num">{member.tokenCount}</td>
      <td class="num">{member.ownedPercent.toFixed(1)} %</td>
      <td class="num">{member.firstPercent.toFixed(1)} %</td>
      <td class="num">{member.liveBytes === null ? '–' : showBytes(member.liveBytes)}</td>
      <td class="num">{member.spansPerSecond === null ? '–' : showCount(member.spansPerSecond)}</td>
    </tr>
  );
}
