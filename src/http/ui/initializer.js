// Shows the contract that lies beside this page. Swagger UI knows one client for every way to log in; here each way has its own.
window.onload = () => {
  const logins = {{logins}};
  const FilledIn = () => ({
    wrapComponents: {
      oauth2: (Original, { React }) => props => {
        const login = logins.find(({ scheme, flow }) => scheme === props.name && flow === props.schema.get("flow"));
        const getConfigs = () => ({ ...props.authSelectors.getConfigs(), ...login });
        return React.createElement(Original, { ...props, authSelectors: { ...props.authSelectors, getConfigs } });
      },
    },
  });
  window.ui = SwaggerUIBundle({
    dom_id: "#swagger-ui",
    url: "openapi.json",
    layout: "StandaloneLayout",
    deepLinking: true,
    persistAuthorization: true,
    tryItOutEnabled: true,
    displayRequestDuration: true,
    presets: [SwaggerUIBundle.presets.apis, SwaggerUIStandalonePreset],
    plugins: [SwaggerUIBundle.plugins.DownloadUrl, FilledIn],
  });
  window.ui.initOAuth({ appName: "Anteroom", usePkceWithAuthorizationCodeGrant: true });
};
