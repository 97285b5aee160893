package server

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/funnelgraph/funnelgraph/internal/config"
	"github.com/funnelgraph/funnelgraph/upstream"
)

// runWebhook runs a command about webhook endpoints at ClickFunnels.
func runWebhook(ctx context.Context, cfg config.Config, out io.Writer) error {
	client, _, err := NewClient(ctx, cfg, upstream.Observer{})
	if err != nil {
		return err
	}
	client = client.WithToken(cfg.Token)
	workspace, err := client.Workspace(ctx, cfg.Webhook.Workspace)
	if err != nil {
		return fmt.Errorf("workspace %s: %w", cfg.Webhook.Workspace, err)
	}
	place, err := client.PlaceOf(workspace)
	if err != nil {
		return err
	}
	switch cfg.Command {
	case config.AddWebhook:
		return addWebhook(ctx, client, place, cfg.Webhook, out)
	case config.RemoveWebhook:
		if err := client.DeleteWebhookEndpoint(ctx, place, cfg.Webhook.ID); err != nil {
			return fmt.Errorf("webhook endpoint %s: %w", cfg.Webhook.ID, err)
		}
		_, err = fmt.Fprintf(out, "Webhook endpoint %s is deleted.\n", cfg.Webhook.ID)
		return err
	}
	return listWebhooks(ctx, client, place, out)
}

func addWebhook(ctx context.Context, client *upstream.Client, place upstream.Place, w config.Webhook, out io.Writer) error {
	attributes := map[string]any{"url": w.URL, "name": w.Name}
	if len(w.Events) > 0 {
		attributes["event_type_ids"] = w.Events
	}
	made, err := client.CreateWebhookEndpoint(ctx, place, attributes)
	if failed, ok := errors.AsType[*upstream.Error](err); ok && failed.Unknown {
		return fmt.Errorf("webhook endpoint: %w; `funnelgraph webhook list` shows whether it exists", err)
	}
	if err != nil {
		return fmt.Errorf("webhook endpoint: %w", err)
	}
	if secret := made.WebhookSecret(); secret != nil {
		_, err = fmt.Fprintf(out, "id:     %s\nsecret: %s\n\nThe secret is not shown again. Write it into a file that the access file names.\n", made.RawID(), *secret)
		return err
	}
	_, err = fmt.Fprintf(out, "id:     %s\n\nClickFunnels sent no secret: look it up in the settings of the workspace.\n", made.RawID())
	return err
}

func listWebhooks(ctx context.Context, client *upstream.Client, place upstream.Place, out io.Writer) error {
	var pager upstream.Pager[upstream.WebhookEndpoint]
	for q := (upstream.Query{}); ; {
		page, err := pager.Next(ctx, q, func(ctx context.Context, q upstream.Query) (*upstream.Page[upstream.WebhookEndpoint], error) {
			return client.WebhookEndpoints(ctx, place, q)
		})
		if err != nil {
			return err
		}
		for _, each := range page.Rows {
			if _, err := fmt.Fprintf(out, "%s  %q  %q  %q\n", each.RawID(), each.Name(), each.URL(), strings.Join(each.EventTypeIDs(), ",")); err != nil {
				return err
			}
		}
		if q.After = page.Next; q.After == "" {
			return nil
		}
	}
}
