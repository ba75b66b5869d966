import type { InviteTab } from "../state/room";
import { ErrorNote, Spinner } from "../ui/bits";
import { CopyButton } from "../ui/copy-button";
import { Dialog } from "../ui/dialog";
import { Icon } from "../ui/icons";
import { useLoad } from "../ui/load";
import { Tabs } from "../ui/tabs";
import { words } from "../words";
import { CallTab } from "./call-tab";
import { useRoom } from "./context";

export function InviteDialog({ tab }: { tab: InviteTab }) {
  const { controller } = useRoom();
  const open = (next: InviteTab) => controller.openInvite(next);
  return (
    <Dialog title={words.invite.title} onClose={() => controller.openInvite(null)} testid="invite-dialog">
      <Tabs<InviteTab>
        label={words.invite.title}
        selected={tab}
        onSelect={open}
        tabs={[
          { key: "join-info", label: words.invite.tabJoinInfo, testid: "tab-join-info", panel: () => <JoinInfoTab /> },
          {
            key: "invite",
            label: words.invite.tabInvite,
            testid: "tab-invite",
            panel: () => <InviteByMailTab onGo={open} />,
          },
          { key: "call", label: words.invite.tabCall, testid: "tab-call", panel: () => <CallTab /> },
        ]}
      />
    </Dialog>
  );
}

function JoinInfoTab() {
  const { controller } = useRoom();
  const [info] = useLoad(controller.meeting.id, () => controller.api.joinInfo(controller.meeting.id));
  if (info.step === "loading") return <Spinner />;
  if (info.step === "failed") return <ErrorNote>{info.words}</ErrorNote>;
  return (
    <div class="stack">
      <p class="hint">{words.invite.joinInfoHint}</p>
      <pre class="join-text" data-testid="join-text">
        {info.value.text}
      </pre>
      <CopyButton text={info.value.text} label={words.invite.copyInfo} primary />
    </div>
  );
}

function InviteByMailTab({ onGo }: { onGo: (tab: InviteTab) => void }) {
  return (
    <div class="empty-panel">
      <Icon name="mail" size={36} />
      <p class="row-title">{words.invite.inviteLater}</p>
      <p class="hint">{words.invite.inviteLaterHint}</p>
      <div class="button-row">
        <button type="button" class="button" onClick={() => onGo("join-info")}>
          {words.invite.goJoinInfo}
        </button>
        <button type="button" class="button" onClick={() => onGo("call")}>
          {words.invite.goCall}
        </button>
      </div>
    </div>
  );
}
