package controllers

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/echo-operator/echo-operator/controllers/desired"
)

// RedisAdmin changes a managed instance's users. Every call has a deadline of its own.
type RedisAdmin interface {
	// SetPodUser gives the pods' user exactly what [desired.RedisEchoRules] says.
	SetPodUser(ctx context.Context, namespace string, passwords desired.RedisPasswords) error
	// Usage reads how full the instance is.
	Usage(ctx context.Context, namespace, operatorPassword string) (RedisUsage, error)
}

// RedisUsage is how full an instance is.
type RedisUsage struct {
	UsedBytes   int64
	MaxBytes    int64
	EvictedKeys int64
}

const redisAdminTimeout = 2 * time.Second

// NetworkRedisAdmin talks to instances over the network.
type NetworkRedisAdmin struct {
	// Address gives a namespace's instance as host:port; its Service's name in
	// the cluster when nil.
	Address func(namespace string) string
}

// SetPodUser implements [RedisAdmin].
func (a NetworkRedisAdmin) SetPodUser(ctx context.Context, namespace string, passwords desired.RedisPasswords) error {
	args := []any{"ACL", "SETUSER", desired.RedisEchoUser}
	for _, rule := range desired.RedisEchoRules(passwords) {
		args = append(args, rule)
	}
	return a.withRedis(ctx, namespace, passwords.Operator, func(ctx context.Context, c *redis.Client) error {
		return c.Do(ctx, args...).Err()
	})
}

// Usage implements [RedisAdmin].
func (a NetworkRedisAdmin) Usage(ctx context.Context, namespace, operatorPassword string) (RedisUsage, error) {
	var usage RedisUsage
	err := a.withRedis(ctx, namespace, operatorPassword, func(ctx context.Context, c *redis.Client) error {
		text, err := c.Info(ctx).Result()
		usage = parseUsage(text)
		return err
	})
	return usage, err
}

// withRedis makes a connection for one use: these calls are rare, and a kept
// connection would outlive the password it was made with.
func (a NetworkRedisAdmin) withRedis(ctx context.Context, namespace, password string, use func(context.Context, *redis.Client) error) error {
	ctx, cancel := context.WithTimeout(ctx, redisAdminTimeout)
	defer cancel()
	address := a.Address
	if address == nil {
		address = serviceAddress
	}
	client := redis.NewClient(&redis.Options{
		Addr:     address(namespace),
		Username: desired.RedisOperatorUser, Password: password,
		MaxRetries: -1, DialerRetries: 1, DialTimeout: redisAdminTimeout, ContextTimeoutEnabled: true,
		DisableIdentity: true, PoolSize: 1, Protocol: 2,
	})
	defer func() { _ = client.Close() }()
	if err := use(ctx, client); err != nil {
		return fmt.Errorf("talking to the Redis of namespace %s: %w", namespace, err)
	}
	return nil
}

func serviceAddress(namespace string) string {
	return net.JoinHostPort(desired.RedisName+"."+namespace+".svc", strconv.Itoa(int(desired.RedisPort)))
}

// parseUsage reads the lines that matter out of INFO's answer.
func parseUsage(info string) RedisUsage {
	var usage RedisUsage
	fields := map[string]*int64{
		"used_memory": &usage.UsedBytes, "maxmemory": &usage.MaxBytes, "evicted_keys": &usage.EvictedKeys,
	}
	for line := range strings.Lines(info) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if field, ok := fields[name]; ok {
			if n, err := strconv.ParseInt(value, 10, 64); err == nil {
				*field = n
			}
		}
	}
	return usage
}
