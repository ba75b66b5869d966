import { Component, type ComponentChildren } from "preact";
import { words } from "../words";

/** Stands in for a page that failed while it was drawn, so that the user is not left with an empty window. */
export class ErrorBoundary extends Component<{ children: ComponentChildren }, { failed: boolean }> {
  override state = { failed: false };

  static override getDerivedStateFromError(): { failed: boolean } {
    return { failed: true };
  }

  override render() {
    if (!this.state.failed) return this.props.children;
    return (
      <main class="empty-panel">
        <div role="alert">
          <h1>{words.common.wentWrong}</h1>
        </div>
        <button type="button" class="button button-primary" onClick={() => location.reload()}>
          {words.common.reload}
        </button>
      </main>
    );
  }
}
