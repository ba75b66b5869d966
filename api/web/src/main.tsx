import { render } from "preact";
import { App } from "./app";
import { ErrorBoundary } from "./ui/error-boundary";
import "./styles/index.css";

const root = document.getElementById("app");
if (root) {
  render(
    <ErrorBoundary>
      <App />
    </ErrorBoundary>,
    root,
  );
}
